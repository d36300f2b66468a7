package io.firn.backend.cuda.kernels;

import io.firn.graph.Activation;
import io.firn.graph.Activation.Kind;
import io.firn.graph.Convolution;
import io.firn.graph.DType;
import io.firn.graph.Normalization;
import io.firn.graph.Shape;
import io.firn.graph.Type;
import io.firn.graph.Value;
import io.firn.plan.Layout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/** Depthwise convolutions and their gradients, alone and with what is computed before and after them. */
final class DepthwiseCases {
    private DepthwiseCases() {
    }

    private record Size(DType dtype, int n, int c, int h, int w, int kernel, int stride) {
        Type x() {
            return new Type(dtype, Shape.of(n, c, h, w));
        }

        Type y() {
            return new Type(dtype, Shape.of(n, c, out(h), out(w)));
        }

        private int out(int extent) {
            return (extent + 2 * padding() - kernel) / stride + 1;
        }

        int padding() {
            return kernel / 2;
        }

        Type weight(DType type) {
            return new Type(type, Shape.of(c, 1, kernel, kernel));
        }

        Type vector() {
            return Type.f32(c);
        }
    }

    private static final List<Size> SIZES = List.of(new Size(DType.BF16, 2, 16, 9, 14, 3, 1),
            new Size(DType.F32, 1, 12, 17, 8, 5, 1), new Size(DType.F16, 2, 10, 13, 10, 3, 2),
            new Size(DType.BF16, 1, 136, 15, 7, 5, 2), new Size(DType.F32, 1, 3, 4, 5, 3, 1),
            new Size(DType.BF16, 3, 8, 1, 2, 5, 1));

    private static final List<Function<Size, KernelCase>> GROUPS = List.of(DepthwiseCases::forward,
            DepthwiseCases::forwardWithStatistics, DepthwiseCases::evaluation, DepthwiseCases::dataGradient,
            DepthwiseCases::dataGradientWithSums, DepthwiseCases::weightGradient, DepthwiseCases::weightGradientOfActivation);

    /** Each group in the first size and in two others; {@code every}: in all. */
    static List<KernelCase> all(boolean every) {
        List<KernelCase> cases = new ArrayList<>();
        for (int s = 0; s < SIZES.size(); s++) {
            for (int g = 0; g < GROUPS.size(); g++) {
                if (every || s == 0 || (g + s + 1) % 5 < 2) {
                    cases.add(GROUPS.get(g).apply(SIZES.get(s)));
                }
            }
        }
        return cases;
    }

    private static KernelCase start(String name, Size size) {
        return new KernelCase(name + " " + size, OwnKernels.DEPTHWISE, name.hashCode());
    }

    private static Value weight(KernelCase k, Size s) {
        Value w = k.input(s.weight(s.dtype));
        k.layout(w, Layout.DENSE);
        return w;
    }

    private static Convolution.Forward op(Size s) {
        return new Convolution.Forward(s.stride, s.padding(), s.c);
    }

    private static Value activated(KernelCase k, Value x, Kind kind, Size s) {
        Value z = k.b.add("z", new Normalization.Apply(), x, k.input(s.vector()), k.input(s.vector()));
        return k.b.add("a", new Activation.Forward(kind), z);
    }

    private static KernelCase forward(Size s) {
        KernelCase k = start("forward", s);
        return k.stores(k.b.add("y", op(s), k.input(s.x()), weight(k, s)));
    }

    private static KernelCase forwardWithStatistics(Size s) {
        KernelCase k = start("bn, silu, forward, statistics, finalise", s);
        Value y = k.b.add("y", op(s), activated(k, k.input(s.x()), Kind.SILU, s), weight(k, s));
        List<Value> sums = k.b.addAll("s", new Normalization.Statistics(), y);
        long count = s.y().shape().elements() / s.c;
        List<Value> out = new ArrayList<>(k.b.addAll("f", new Normalization.Finalise(0.1, 0.1, count), sums.get(0), sums.get(1),
                k.input(s.vector()), k.input(s.vector()), k.input(s.vector()), k.positive(s.vector())));
        out.add(y);
        return k.stores(out);
    }

    private static KernelCase evaluation(Size s) {
        KernelCase k = start("forward with bias, silu", s);
        Value y = k.b.add("y", op(s), k.input(s.x()), weight(k, s), k.input(s.vector()));
        return k.stores(k.b.add("a", new Activation.Forward(Kind.SILU), y));
    }

    private static Value dgrad(KernelCase k, Size s) {
        return k.b.add("dx", new Convolution.Dgrad(s.stride, s.padding(), s.c, s.h, s.w), k.input(s.y()), weight(k, s));
    }

    private static KernelCase dataGradient(Size s) {
        KernelCase k = start("data gradient", s);
        return k.stores(dgrad(k, s));
    }

    private static KernelCase dataGradientWithSums(Size s) {
        KernelCase k = start("data gradient, silu_grad of bn, bn_grad_sums", s);
        Value x = k.input(s.x());
        Value z = k.b.add("z", new Normalization.Apply(), x, k.input(s.vector()), k.input(s.vector()));
        Value g = k.b.add("g", new Activation.Grad(Kind.SILU), dgrad(k, s), z);
        List<Value> out = new ArrayList<>(k.b.addAll("sums", new Normalization.GradSums(), g, x, k.input(s.vector()),
                k.positive(s.vector())));
        out.add(g);
        return k.stores(out);
    }

    private static KernelCase weightGradient(Size s) {
        KernelCase k = start("weight gradient", s);
        Value dw = k.b.add("dw", wgrad(s), k.input(s.x()), k.input(s.y()));
        return k.layout(dw, Layout.DENSE).stores(dw);
    }

    private static KernelCase weightGradientOfActivation(Size s) {
        KernelCase k = start("weight gradient of bn, relu", s);
        Value dw = k.b.add("dw", wgrad(s), activated(k, k.input(s.x()), Kind.RELU, s), k.input(s.y()));
        return k.layout(dw, Layout.DENSE).stores(dw);
    }

    private static Convolution.Wgrad wgrad(Size s) {
        return new Convolution.Wgrad(s.stride, s.padding(), s.c, s.kernel);
    }
}
