package io.firn.oracle;

import io.firn.graph.Activation;
import io.firn.graph.Clipping;
import io.firn.graph.Collective;
import io.firn.graph.Conversion;
import io.firn.graph.Convolution;
import io.firn.graph.Drop;
import io.firn.graph.Elementwise;
import io.firn.graph.Gate;
import io.firn.graph.Linear;
import io.firn.graph.Loss;
import io.firn.graph.Normalization;
import io.firn.graph.Op;
import io.firn.graph.Pooling;
import io.firn.graph.Scaling;
import io.firn.graph.Shape;
import io.firn.graph.Shortcut;
import io.firn.graph.Slicing;
import io.firn.graph.Type;
import io.firn.graph.Update;
import java.util.ArrayList;
import java.util.List;

/**
 * What every op means, in plain Java and double precision: the definition that backends are held to. Nothing is
 * rounded; integers (labels, counters, indices) are doubles too. Written to be read, yet convolutions reach more than
 * 1 GFLOP/s.
 */
public final class Interpreter {
    private Interpreter() {
    }

    /**
     * Computes one op.
     *
     * @param inTypes types of the operands, which the op must accept
     * @param in      elements of the operands, each in logical row-major order whatever its layout on a device
     * @return elements of each output, in the same order
     * @throws IllegalArgumentException where the operands do not fit the op or their types
     */
    public static List<double[]> run(Op op, List<Type> inTypes, List<double[]> in) {
        Op.check(inTypes.size() == in.size(), "%d operands with %d types", in.size(), inTypes.size());
        List<Type> out = op.infer(inTypes);
        List<Array> operands = new ArrayList<>();
        for (int i = 0; i < in.size(); i++) {
            operands.add(new Array(inTypes.get(i), in.get(i)));
        }
        List<double[]> results = run(op, operands, out.get(0).shape());
        for (int i = 0; i < out.size(); i++) {
            Op.check(results.get(i).length == out.get(i).shape().elements(), "%s gives %d elements for %s", op,
                    results.get(i).length, out.get(i));
        }
        return results;
    }

    private static List<double[]> run(Op op, List<Array> in, Shape out) {
        return switch (op) {
            case Activation a -> List.of(PointwiseOracle.run(a, in));
            case Clipping c -> UpdateOracle.run(c, in);
            case Collective.AllReduce r -> in.stream().map(a -> Array.map(a.shape(),
                    (i, c) -> a.data()[i] * r.reduction().ofEqual(r.ranks()))).toList();
            case Conversion c -> List.of(PointwiseOracle.run(c, in));
            case Convolution c -> List.of(ConvolutionOracle.run(c, in));
            case Drop d -> List.of(PointwiseOracle.run(d, in));
            case Elementwise e -> List.of(PointwiseOracle.run(e, in));
            case Gate g -> List.of(PointwiseOracle.run(g, in));
            case Linear l -> List.of(LinearOracle.run(l, in));
            case Loss l -> List.of(LinearOracle.run(l, in));
            case Normalization n -> NormalizationOracle.run(n, in);
            case Pooling p -> PoolingOracle.run(p, in, out);
            case Scaling s -> UpdateOracle.run(s, in);
            case Shortcut s -> List.of(PoolingOracle.run(s, in, out));
            case Slicing s -> List.of(SlicingOracle.run(s, in));
            case Update u -> UpdateOracle.run(u, in);
        };
    }
}
