package io.firn.models;

import io.firn.graph.Node;
import io.firn.graph.State;
import io.firn.graph.Value;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * A model layer by layer, in forward order.
 *
 * @param parameters   trainable scalars
 * @param multiplyAdds of one image's forward pass, whatever the batch
 */
public record Summary(String model, int batch, int channels, int resolution, int classes, List<Layer> layers,
                      long parameters, long multiplyAdds) {

    public Summary {
        layers = List.copyOf(layers);
    }

    /**
     * One layer.
     *
     * @param output its shape: [N, C, H, W], or [N, C] after the last pooling
     */
    public record Layer(String name, String op, List<Integer> output, long parameters, long multiplyAdds) {
        public Layer {
            output = List.copyOf(output);
        }
    }

    public static Summary of(Model m) {
        ModelOptions o = m.options();
        Map<Value, State> parameters = m.graph().states(State.Kind.PARAMETER).stream()
                .collect(Collectors.toMap(State::value, Function.identity()));
        List<Layer> layers = m.graph().nodes().stream().map(n -> layer(n, parameters, o.batch())).toList();
        return new Summary(m.name(), o.batch(), o.channels(), o.resolution(), o.classes(), layers,
                m.graph().parameterCount(), m.multiplyAdds());
    }

    private static Layer layer(Node n, Map<Value, State> parameters, int batch) {
        long owned = n.inputs().stream().filter(parameters::containsKey).mapToLong(v -> v.shape().elements()).sum();
        return new Layer(n.name(), n.op().label(), n.output().shape().dims(), owned, n.flops() / 2 / batch);
    }
}
