package io.firn.plan;

import io.firn.graph.Conversion;
import io.firn.graph.Convolution;
import io.firn.graph.DType;
import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Node;
import io.firn.graph.Phase;
import io.firn.graph.State;
import io.firn.graph.Value;
import java.util.List;

/**
 * Lets a model's graph begin at pixels and compute in a precision: {@code image} becomes {@code normalize(pixels)} in the
 * activations' type, which the types of all else follow, and convolutions read casts of their f32 master weights.
 *
 * <pre>
 * conv(image f32, w f32)   →   conv(normalize(pixels u8) bf16, cast(w) bf16)
 * </pre>
 */
final class InputPass {
    private InputPass() {
    }

    static Graph run(Graph g, List<Double> mean, List<Double> std, DType activation) {
        GraphBuilder b = new GraphBuilder(g);
        for (Value v : g.inputs()) {
            if (v.name().equals("image")) {
                Value pixels = b.input("pixels", v.type().withDtype(DType.U8));
                b.phase(Phase.INPUT);
                b.replace(v, b.add("normalize", new Conversion.Normalize(mean, std, activation), pixels));
                b.phase(Phase.FORWARD);
            } else {
                b.copyInput(v);
            }
        }
        for (State s : g.states()) {
            b.copyState(s);
        }
        for (Node n : g.nodes()) {
            if (n.op() instanceof Convolution.Forward && activation != DType.F32) {
                Value w = n.input(1);
                b.replace(w, b.add(w.name() + ".cast", new Conversion.Cast(activation), w));
            }
            b.copy(n);
        }
        b.copyResults(g);
        return b.build();
    }
}
