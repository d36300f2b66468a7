package io.firn.backend.cuda.kernels;

import io.firn.graph.Gate;
import io.firn.graph.Linear;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Pooling;
import io.firn.graph.Value;
import java.util.List;
import java.util.function.Function;

/** The C++ of what is computed channel by channel: batch norm's vectors, and what turns a plain sum into an op's result. */
final class VectorOps {
    private VectorOps() {
    }

    /** Assignments of a node's outputs. {@code in} and {@code out} are C++ expressions. */
    static String of(Node n, List<String> in, List<String> out, CallBuilder call) {
        return switch (n.op()) {
            case Normalization.Finalise f -> finalise(f, in, out, call);
            case Normalization.Affine(double eps) -> """
                    %1$s = %3$s / sqrtf(%6$s + %7$s);
                    %2$s = %4$s - %5$s * %1$s;
                    """.formatted(out.get(0), out.get(1), in.get(0), in.get(1), in.get(2), in.get(3), call.number(eps));
            default -> throw new IllegalArgumentException(n + " computes no vectors");
        };
    }

    private static String finalise(Normalization.Finalise op, List<String> in, List<String> out, CallBuilder call) {
        long unbiased = Math.max(1, op.count() - 1);
        return """
                %1$s = %7$s * %13$s;
                const float variance = fmaxf(%8$s * %13$s - %1$s * %1$s, 0.f);
                %2$s = 1.f / sqrtf(variance + %14$s);
                %3$s = %9$s * %2$s;
                %4$s = %10$s - %1$s * %3$s;
                %5$s = %15$s * %11$s + %16$s * %1$s;
                %6$s = %15$s * %12$s + %16$s * (variance * %17$s);
                """.formatted(out.get(0), out.get(1), out.get(2), out.get(3), out.get(4), out.get(5),
                in.get(0), in.get(1), in.get(2), in.get(3), in.get(4), in.get(5),
                call.number(1.0 / op.count()), call.number(op.eps()), call.number(1 - op.momentum()),
                call.number(op.momentum()), call.number((double) op.count() / unbiased));
    }

    /** A sum over pixels as the op's result: what is constant over the sum was left out of it. */
    static String finished(Body.Sum sum, String plain, Function<Value, String> vector,
                           CallBuilder call) {
        return switch (sum.node().op()) {
            case Normalization.GradSums g -> sum.output() == 0 ? "%s * %s".formatted(plain, vector.apply(sum.node().input(3)))
                    : plain;
            case Pooling.GlobalAverage g -> "%s * %s".formatted(plain,
                    call.number(1.0 / sum.node().input(0).shape().area()));
            case Normalization.Statistics s -> plain;
            case Linear.BiasGrad b -> plain;
            case Gate.ScaleGrad g -> plain;
            default -> throw new IllegalArgumentException(sum.node() + " is no sum");
        };
    }
}
