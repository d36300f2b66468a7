package io.firn.backend.cuda.kernels;

import io.firn.graph.Activation;
import io.firn.graph.Activation.Kind;
import io.firn.graph.Conversion;
import io.firn.graph.DType;
import io.firn.graph.Drop;
import io.firn.graph.Elementwise;
import io.firn.graph.Gate;
import io.firn.graph.Linear;
import io.firn.graph.Normalization;
import io.firn.graph.Pooling;
import io.firn.graph.Shape;
import io.firn.graph.Type;
import io.firn.graph.Value;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/** The groups of pointwise ops that plans have, forward and backward, in every type and in awkward shapes. */
final class PointwiseCases {
    private PointwiseCases() {
    }

    private record Size(DType dtype, int n, int c, int h, int w) {
        Type type() {
            return new Type(dtype, Shape.of(n, c, h, w));
        }

        Type vector() {
            return Type.f32(c);
        }

        Type matrix() {
            return Type.f32(n, c);
        }

        @Override
        public String toString() {
            return type().toString();
        }
    }

    /** Channels for 8, 4, 2 and 1 lanes; more channel groups than a block has columns; more pixels than a strip. */
    private static final List<Size> SIZES = List.of(new Size(DType.BF16, 2, 24, 5, 7), new Size(DType.F32, 1, 3, 9, 5),
            new Size(DType.F16, 3, 20, 3, 3), new Size(DType.BF16, 2, 272, 4, 3), new Size(DType.F32, 2, 8, 61, 40),
            new Size(DType.BF16, 1, 6, 1, 1));

    private static final List<Function<Size, KernelCase>> GROUPS = List.of(PointwiseCases::statistics,
            PointwiseCases::residual, PointwiseCases::reluBackward, PointwiseCases::siluBackward, PointwiseCases::gated,
            PointwiseCases::gateBackward, PointwiseCases::excitationBackward, PointwiseCases::pooled,
            PointwiseCases::evaluation, PointwiseCases::dropped);
    private static final int RANDOM = 8;

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
        cases.add(vectorsOnly(37));
        cases.add(mixed());
        cases.add(dropout());
        cases.add(biasGradient());
        for (int seed = 0; seed < (every ? 5 * RANDOM : RANDOM); seed++) {
            cases.add(RandomPointwise.of(seed));
        }
        return cases;
    }

    private static KernelCase start(String name, Object size) {
        return new KernelCase(name + " " + size, OwnKernels.POINTWISE, name.hashCode());
    }

    private static long count(Size s) {
        return (long) s.n * s.h * s.w;
    }

    private static KernelCase statistics(Size s) {
        KernelCase k = start("statistics and finalise", s);
        List<Value> sums = k.b.addAll("s", new Normalization.Statistics(), k.input(s.type(), 3, 1));
        List<Value> f = k.b.addAll("f", new Normalization.Finalise(1e-3, 0.1, count(s)), sums.get(0), sums.get(1),
                k.input(s.vector()), k.input(s.vector()), k.input(s.vector()), k.positive(s.vector()));
        return k.stores(f);
    }

    private static KernelCase residual(Size s) {
        KernelCase k = start("bn, residual, relu, statistics", s);
        Value x = k.input(s.type());
        Value y = k.b.add("y", new Normalization.Apply(), x, k.input(s.vector()), k.input(s.vector()));
        Value sum = k.b.add("sum", new Elementwise.Add(), y, k.input(s.type()));
        Value r = k.b.add("r", new Activation.Forward(Kind.RELU), sum);
        List<Value> out = new ArrayList<>(k.b.addAll("s", new Normalization.Statistics(), r));
        out.add(r);
        return k.over(r, x).stores(out);
    }

    private static KernelCase reluBackward(Size s) {
        KernelCase k = start("add, relu_grad, bn_grad_sums", s);
        Value dy = k.b.add("dy", new Elementwise.Add(), k.input(s.type()), k.input(s.type()));
        Value g = k.b.add("g", new Activation.Grad(Kind.RELU), dy, k.input(s.type()));
        List<Value> out = new ArrayList<>(k.b.addAll("sums", new Normalization.GradSums(), g, k.input(s.type()),
                k.input(s.vector()), k.positive(s.vector())));
        out.add(g);
        return k.stores(out);
    }

    private static KernelCase siluBackward(Size s) {
        KernelCase k = start("silu_grad of bn again, bn_grad_apply", s);
        Value x = k.input(s.type());
        Value z = k.b.add("z", new Normalization.Apply(), x, k.input(s.vector()), k.input(s.vector()));
        Value g = k.b.add("g", new Activation.Grad(Kind.SILU), k.input(s.type()), z);
        Value dx = k.b.add("dx", new Normalization.GradApply(count(s)), g, x, k.input(s.vector()), k.input(s.vector()),
                k.positive(s.vector()), k.input(s.vector()), k.input(s.vector()));
        return k.stores(dx);
    }

    private static KernelCase gated(Size s) {
        KernelCase k = start("bn, silu, gate", s);
        Value z = k.b.add("z", new Normalization.Apply(), k.input(s.type()), k.input(s.vector()), k.input(s.vector()));
        Value a = k.b.add("a", new Activation.Forward(Kind.SILU), z);
        return k.stores(k.b.add("y", new Gate.Scale(), a, k.input(s.matrix())));
    }

    private static KernelCase gateBackward(Size s) {
        KernelCase k = start("gate_grad of silu of bn", s);
        Value z = k.b.add("z", new Normalization.Apply(), k.input(s.type()), k.input(s.vector()), k.input(s.vector()));
        Value a = k.b.add("a", new Activation.Forward(Kind.SILU), z);
        return k.stores(k.b.add("ds", new Gate.ScaleGrad(), k.input(s.type()), a));
    }

    private static KernelCase excitationBackward(Size s) {
        KernelCase k = start("gate, global_average_grad, add, silu_grad, sums by channel and sample", s);
        Value scaled = k.b.add("g", new Gate.Scale(), k.input(s.type()), k.input(s.matrix()));
        Value mean = k.b.add("m", new Pooling.GlobalAverageGrad(s.type()), k.input(s.matrix()));
        Value sum = k.b.add("sum", new Elementwise.Add(), scaled, mean);
        Value x = k.input(s.type());
        Value d = k.b.add("d", new Activation.Grad(Kind.SILU), sum, x);
        List<Value> out = new ArrayList<>(k.b.addAll("sums", new Normalization.GradSums(), d, x, k.input(s.vector()),
                k.positive(s.vector())));
        out.add(d);
        out.add(k.b.add("pooled", new Pooling.GlobalAverage(), d));
        return k.stores(out);
    }

    private static KernelCase pooled(Size s) {
        KernelCase k = start("bn, relu, global_average", s);
        Value z = k.b.add("z", new Normalization.Apply(), k.input(s.type()), k.input(s.vector()));
        Value a = k.b.add("a", new Activation.Forward(Kind.RELU), z);
        return k.stores(k.b.add("p", new Pooling.GlobalAverage(), a));
    }

    private static KernelCase evaluation(Size s) {
        KernelCase k = start("bn_affine, bn, sigmoid", s);
        List<Value> v = k.b.addAll("v", new Normalization.Affine(1e-5), k.input(s.vector()), k.input(s.vector()),
                k.input(s.vector()), k.positive(s.vector()));
        Value z = k.b.add("z", new Normalization.Apply(), k.input(s.type()), v.get(0), v.get(1));
        return k.stores(k.b.add("y", new Activation.Forward(Kind.SIGMOID), z), v.get(0));
    }

    private static KernelCase dropped(Size s) {
        KernelCase k = start("drop_path, add, sigmoid and its gradient", s);
        Value d = k.b.add("d", new Drop.DropPath(0.4, 3), k.input(s.type()), k.counter());
        Value sum = k.b.add("sum", new Elementwise.Add(), d, k.input(s.type()));
        Value y = k.b.add("y", new Activation.Forward(Kind.SIGMOID), k.input(s.type()));
        return k.stores(k.b.add("g", new Activation.Grad(Kind.SIGMOID), sum, y));
    }

    private static KernelCase vectorsOnly(int c) {
        KernelCase k = start("bn_finalise alone", c);
        Type v = Type.f32(c);
        return k.stores(k.b.addAll("f", new Normalization.Finalise(1e-5, 0.01, 100), k.input(v), k.input(v, 900, 10), k.input(v),
                k.input(v), k.input(v), k.positive(v)));
    }

    private static KernelCase mixed() {
        KernelCase k = start("cast of f32, add in bf16", "");
        Type f = Type.f32(2, 16, 3, 5);
        Value x = k.b.add("x", new Conversion.Cast(DType.BF16), k.input(f));
        return k.stores(k.b.add("y", new Elementwise.Add(), x, k.input(f.withDtype(DType.BF16))));
    }

    private static KernelCase dropout() {
        KernelCase k = start("dropout of a matrix", "");
        return k.stores(k.b.add("y", new Drop.Dropout(0.3, 5), k.input(Type.f32(5, 20)), k.counter()));
    }

    private static KernelCase biasGradient() {
        KernelCase k = start("relu_grad and bias_grad of matrices", "");
        Type m = Type.f32(70, 10);
        Value g = k.b.add("g", new Activation.Grad(Kind.RELU), k.input(m), k.input(m));
        return k.stores(g, k.b.add("db", new Linear.BiasGrad(), g));
    }
}
