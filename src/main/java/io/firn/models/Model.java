package io.firn.models;

import io.firn.graph.Graph;
import io.firn.graph.Node;
import io.firn.graph.Op;
import io.firn.graph.Pooling;
import io.firn.graph.Value;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/**
 * A network in its training form: input {@code image} f32 [N, channels, R, R], output {@code logits} f32 [N, classes],
 * torchvision's names for modules and states, and an input {@code counter} where something is dropped at random.
 *
 * @param options        as resolved: building from them again gives the same network
 * @param taps           the last feature map at each stride, before the classifier's own layers
 * @param blocks         modules at whose end the network can be cut, in forward order, such as {@code layer1.0}
 * @param preset         how its images are prepared
 * @param initialization what fresh states hold
 */
public record Model(String name, ModelOptions options, Graph graph, SequencedMap<Integer, Value> taps,
                    List<String> blocks, Preset preset, Initialization initialization) {

    public Model {
        taps = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(taps));
        blocks = List.copyOf(blocks);
    }

    /** What the block of that name hands to the next: [N, C, H, W]. */
    public Value blockOutput(String block) {
        Op.check(blocks.contains(block), "%s is no block of %s", block, name);
        return graph.nodes().reversed().stream().filter(n -> n.name().startsWith(block + ".")).findFirst()
                .map(Node::output).orElseThrow();
    }

    /** What the classifier reads, before anything is dropped from it: [N, features]. */
    public Value features() {
        return graph.nodes().reversed().stream().filter(n -> n.op() instanceof Pooling.GlobalAverage).findFirst()
                .map(Node::output).orElseThrow();
    }

    /** Multiply-adds of one image's forward pass, convolutions and products only. */
    public long multiplyAdds() {
        return graph.nodes().stream().mapToLong(Node::flops).sum() / 2 / options.batch();
    }
}
