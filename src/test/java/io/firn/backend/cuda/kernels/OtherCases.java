package io.firn.backend.cuda.kernels;

import io.firn.graph.Activation;
import io.firn.graph.Activation.Kind;
import io.firn.graph.Clipping;
import io.firn.graph.Conversion;
import io.firn.graph.DType;
import io.firn.graph.Linear;
import io.firn.graph.Loss;
import io.firn.graph.Normalization;
import io.firn.graph.Pooling;
import io.firn.graph.Rates;
import io.firn.graph.Scaling;
import io.firn.graph.Shape;
import io.firn.graph.Shortcut;
import io.firn.graph.Type;
import io.firn.graph.Update;
import io.firn.graph.Value;
import io.firn.oracle.Interpreter;
import io.firn.plan.Layout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** All other kernels: weights by tables, products, pooling, shortcuts, pixels, the loss. */
final class OtherCases {
    private OtherCases() {
    }

    static List<KernelCase> all() {
        List<KernelCase> cases = new ArrayList<>();
        cases.add(casts(DType.F32, DType.BF16, Layout.DENSE, Layout.NHWC));
        cases.add(casts(DType.F32, DType.F16, Layout.DENSE, Layout.DENSE));
        cases.add(casts(DType.BF16, DType.F32, Layout.NHWC, Layout.DENSE));
        cases.add(casts(DType.F32, DType.F16, Layout.DENSE, Layout.NHWC4));
        cases.add(casts(DType.F32, DType.BF16, Layout.NHWC, Layout.NHWC4));
        cases.add(fold());
        for (Update.Step op : List.of(new Update.Sgd(0.9, 1e-4, true, 1), new Update.Sgd(0.9, 1e-2, false, 2),
                new Update.Sgd(0, 1e-4, false, 1), new Update.AdamW(0.9, 0.999, 1e-8, 1e-2, 0.5),
                new Update.RmsProp(0.9, 1e-3, true, 0.9, 1e-5, 1), new Update.RmsProp(0.99, 1e-8, false, 0, 0, 1),
                new Update.Lars(0.9, 1e-3, 1e-8, 1e-4, 1), new Update.Lars(0.9, 1e-3, 1e-8, 0, 1))) {
            cases.add(update(op, Factor.NONE, false));
            cases.add(update(op, Factor.CLIPPED, true));
        }
        cases.add(update(new Update.AdamW(0.9, 0.999, 1e-8, 1e-2, 0.5), Factor.UNSCALED, true));
        cases.add(update(new Update.Sgd(0.9, 1e-4, false, 1), Factor.SKIPPED, true));
        cases.add(update(new Update.Lars(0.9, 1e-3, 1e-8, 1e-4, 1), Factor.SKIPPED, false));
        cases.add(averages());
        cases.add(accumulate(0));
        cases.add(accumulate(1));
        for (double most : new double[] {0.5, 1e6}) {
            cases.add(clip(most));
        }
        for (double[] state : new double[][] {{0, 5, 2}, {-3, 1999, 0}, {8, 1999, 7}}) {
            cases.add(unscale(1, state, 1));
            cases.add(unscale(Double.POSITIVE_INFINITY, state, Double.NaN));
            cases.add(unscale(Double.POSITIVE_INFINITY, state, Double.POSITIVE_INFINITY));
        }
        for (int[] s : new int[][] {{5, 37, 3}, {70, 100, 33}, {600, 20, 500}}) {
            cases.add(product("forward", new Linear.Forward(), s, Type.f32(s[0], s[1]), Type.f32(s[2], s[1]), Type.f32(s[2])));
            cases.add(product("data gradient", new Linear.Dgrad(), s, Type.f32(s[0], s[2]), Type.f32(s[2], s[1])));
            cases.add(product("weight gradient", new Linear.Wgrad(Shape.of(s[2], s[1], 1, 1)), s, Type.f32(s[0], s[1]),
                    Type.f32(s[0], s[2])));
        }
        for (int n : new int[] {3, 130}) {
            cases.add(excitation(n, 50, 9));
            cases.add(excitationBackward(n, 50, 9));
        }
        for (Type t : List.of(new Type(DType.BF16, Shape.of(2, 16, 9, 12)), Type.f32(1, 6, 7, 7), Type.f32(2, 3, 2, 5))) {
            cases.add(maxPool(t, 3, 2, 1));
            cases.add(maxPoolAfter(t));
            cases.add(maxPoolGrad(t, 3, 2, 1));
            cases.add(maxPoolGrad(t, 2, 2, 0));
            cases.add(shortcut(t));
            cases.add(shortcutGrad(t));
        }
        for (Layout to : List.of(Layout.NHWC, Layout.NHWC4)) {
            cases.add(normalize(new Type(DType.U8, Shape.of(2, 3, 5, 7)), DType.BF16, to));
            cases.add(normalize(new Type(DType.U8, Shape.of(3, 1, 4, 9)), DType.F32, to));
        }
        cases.add(loss(0.1, true, true));
        cases.add(loss(0, true, false));
        cases.add(loss(0.2, false, true));
        cases.add(mixedLoss(0.1));
        cases.add(scaledLoss());
        return cases;
    }

    private static KernelCase start(OwnKernels kernel, Object what) {
        return new KernelCase(kernel.label() + " " + what, kernel, what.hashCode());
    }

    private static final List<Shape> WEIGHTS = List.of(Shape.of(5, 7, 3, 3), Shape.of(40, 130, 1, 1), Shape.of(9, 1, 5, 5),
            Shape.of(70, 3, 3, 3));

    private static KernelCase casts(DType from, DType to, Layout source, Layout target) {
        KernelCase k = start(OwnKernels.CAST, from + " " + source.label() + " to " + to + " " + target.label());
        List<Value> out = new ArrayList<>();
        for (Shape s : WEIGHTS) {
            Value v = k.input(new Type(from, s));
            k.layout(v, source);
            Value y = k.b.add("cast" + out.size(), new Conversion.Cast(to), v);
            k.layout(y, target);
            out.add(y);
        }
        return k.stores(out);
    }

    private static KernelCase fold() {
        KernelCase k = start(OwnKernels.FOLD_WEIGHT, "dense to nhwc");
        Value w = k.input(Type.f32(6, 5, 3, 3));
        Value y = k.b.add("y", new Normalization.FoldWeight(), w, k.input(Type.f32(6)));
        return k.layout(w, Layout.DENSE).layout(y, Layout.NHWC).stores(y);
    }

    /** What a step takes after its rates. */
    private enum Factor {
        NONE, CLIPPED, UNSCALED, SKIPPED
    }

    private static final List<Shape> TRAINED = List.of(Shape.of(5, 7, 3, 3), Shape.of(3), Shape.of(70, 65), Shape.of(8, 4, 5, 5));

    private static KernelCase update(Update.Step op, Factor factor, boolean averaged) {
        KernelCase k = start(OwnKernels.UPDATE, op + " " + factor + (averaged ? " averaged" : ""));
        Value rates = k.rates(0.01, 7);
        List<Value> factors = switch (factor) {
            case NONE -> List.of();
            case CLIPPED -> List.of(scalar(k, 0.375));
            case UNSCALED -> List.of(scalar(k, 0x1p-3), k.input(Scaling.TYPE, new double[] {-13, 4, 3}));
            case SKIPPED -> List.of(scalar(k, 0), k.input(Scaling.TYPE, new double[] {-1, 0, 7}));
        };
        List<Value> out = new ArrayList<>();
        List<Value> stepped = new ArrayList<>();
        for (Shape s : TRAINED) {
            Type t = new Type(DType.F32, s);
            double[] broken = new double[(int) s.elements()];
            Arrays.fill(broken, Double.NaN);
            List<Value> in = new ArrayList<>(List.of(k.input(t), factor == Factor.SKIPPED ? k.input(t, broken) : k.input(t)));
            for (String slot : op.slots()) {
                in.add(slot.contains("sq") ? k.positive(t) : k.input(t));
            }
            in.add(rates);
            in.addAll(factors);
            List<Value> results = k.b.addAll("u" + out.size(), op, in);
            for (Value v : in) {
                // A gradient comes as its product has left it.
                k.layout(v, v == in.get(1) && s.rank() == 4 && s.h() == 3 ? Layout.NHWC : Layout.DENSE);
            }
            for (int i = 0; i < results.size(); i++) {
                k.layout(results.get(i), Layout.DENSE).over(results.get(i), in.get(i == 0 ? 0 : i + 1));
            }
            stepped.add(results.getFirst());
            out.addAll(results);
        }
        if (averaged) {
            stepped.add(k.input(Type.f32(37)));
            stepped.forEach(w -> out.add(average(k, w, rates)));
        }
        return k.stores(out);
    }

    private static Value scalar(KernelCase k, double x) {
        return k.input(new Type(DType.F32, Shape.SCALAR), new double[] {x});
    }

    private static Value average(KernelCase k, Value now, Value rates) {
        Value before = dense(k, k.input(now.type()));
        Value after = k.b.add("average" + now.id(), new Update.Average(0.99), before, now, rates);
        k.layout(now, Layout.DENSE).layout(after, Layout.DENSE).over(after, before);
        return after;
    }

    private static KernelCase averages() {
        KernelCase k = start(OwnKernels.UPDATE, "averages alone");
        Value rates = k.rates(0.01, 7);
        return k.stores(TRAINED.stream().map(s -> average(k, k.input(new Type(DType.F32, s)), rates)).toList());
    }

    private static KernelCase accumulate(double keep) {
        KernelCase k = start(OwnKernels.UPDATE, "sums of gradients, keeping " + keep);
        Value rates = k.input(Rates.TYPE, new double[] {0.125, 3, 0, keep, 0, 0, 0, 0});
        List<Value> out = new ArrayList<>();
        for (Shape s : TRAINED) {
            Value sum = dense(k, k.input(new Type(DType.F32, s)));
            Value to = k.b.add("sum" + out.size(), new Update.Accumulate(3), sum, k.input(new Type(DType.F32, s)), rates);
            k.layout(to, Layout.DENSE).over(to, sum);
            out.add(to);
        }
        return k.stores(out);
    }

    private static final List<Shape> GRADIENTS = List.of(Shape.of(5, 7, 3, 3), Shape.of(3), Shape.of(130, 65), Shape.of(4096));

    private static KernelCase clip(double most) {
        KernelCase k = start(OwnKernels.CLIP, "to " + most);
        List<Value> out = k.b.addAll("clip", new Clipping.GlobalNorm(most),
                GRADIENTS.stream().map(s -> k.input(new Type(DType.F32, s))).toList());
        return k.stores(out);
    }

    /** @param last one element of the last gradient */
    private static KernelCase unscale(double most, double[] state, double last) {
        KernelCase k = start(OwnKernels.CLIP, "unscale to %s from %s with %s".formatted(most, Arrays.toString(state), last));
        List<Value> in = new ArrayList<>(List.of(k.input(Scaling.TYPE, state)));
        GRADIENTS.forEach(s -> in.add(k.input(new Type(DType.F32, s), 0, 100)));
        in.add(k.input(Type.f32(1), new double[] {last}));
        List<Value> out = k.b.addAll("unscale", new Scaling.Unscale(most), in);
        return k.over(out.get(2), in.getFirst()).stores(out);
    }

    private static KernelCase scaledLoss() {
        KernelCase k = start(OwnKernels.CROSS_ENTROPY, "gradient of a scaled loss");
        Value logits = k.input(Type.f32(6, 300), 1, 3);
        Value labels = k.input(new Type(DType.I32, Shape.of(6)), new double[] {0, 299, -1, 17, -1, 256});
        Value gradient = k.b.add("gradient", new Loss.SoftmaxCrossEntropyGrad(0.1), logits, labels);
        return k.stores(k.b.add("scaled", new Scaling.Scale(), gradient, k.input(Scaling.TYPE, new double[] {-2, 0, 0})));
    }

    private static KernelCase product(String name, Linear op, int[] size, Type... types) {
        KernelCase k = start(OwnKernels.LINEAR, name + " " + Arrays.toString(size));
        Value y = k.b.addAll("y", op, Arrays.stream(types).map(k::input).toList()).getFirst();
        return k.layout(y, Layout.DENSE).stores(y);
    }

    private static Value dense(KernelCase k, Value v) {
        k.layout(v, Layout.DENSE);
        return v;
    }

    private static KernelCase excitation(int n, int c, int squeezed) {
        KernelCase k = start(OwnKernels.EXCITATION, "forward " + n);
        Value h = k.b.add("h", new Linear.Forward(), k.input(Type.f32(n, c)), dense(k, k.input(Type.f32(squeezed, c, 1, 1), 0, 0.2)),
                k.input(Type.f32(squeezed)));
        Value a = k.b.add("a", new Activation.Forward(Kind.SILU), h);
        Value z = k.b.add("z", new Linear.Forward(), a, dense(k, k.input(Type.f32(c, squeezed, 1, 1))), k.input(Type.f32(c)));
        return k.stores(h, a, k.b.add("gate", new Activation.Forward(Kind.SIGMOID), z));
    }

    private static KernelCase excitationBackward(int n, int c, int squeezed) {
        KernelCase k = start(OwnKernels.EXCITATION, "backward " + n);
        Value gate = k.b.add("gate", new Activation.Forward(Kind.SIGMOID), k.input(Type.f32(n, c)));
        Value dz = k.b.add("dz", new Activation.Grad(Kind.SIGMOID), k.input(Type.f32(n, c)), gate);
        Value da = k.b.add("da", new Linear.Dgrad(), dz, dense(k, k.input(Type.f32(c, squeezed, 1, 1))));
        Value dh = k.b.add("dh", new Activation.Grad(Kind.RELU), da, k.input(Type.f32(n, squeezed)));
        return k.stores(dz, dh, k.b.add("dx", new Linear.Dgrad(), dh, dense(k, k.input(Type.f32(squeezed, c, 1, 1)))));
    }

    private static KernelCase maxPool(Type t, int kernel, int stride, int padding) {
        KernelCase k = start(OwnKernels.MAX_POOL, t);
        return k.stores(k.b.addAll("y", new Pooling.Max(kernel, stride, padding), k.input(t)));
    }

    private static KernelCase maxPoolAfter(Type t) {
        KernelCase k = start(OwnKernels.MAX_POOL, "after bn, relu " + t);
        Type v = Type.f32(t.shape().c());
        Value z = k.b.add("z", new Normalization.Apply(), k.input(t), k.input(v), k.input(v));
        Value a = k.b.add("a", new Activation.Forward(Kind.RELU), z);
        return k.stores(k.b.add("y", new Pooling.Max(3, 2, 1), a));
    }

    private static KernelCase maxPoolGrad(Type t, int kernel, int stride, int padding) {
        KernelCase k = start(OwnKernels.MAX_POOL_GRAD, t + " by " + kernel);
        Pooling.Max pool = new Pooling.Max(kernel, stride, padding);
        List<Type> types = pool.infer(List.of(t));
        double[] x = new double[(int) t.shape().elements()];
        Random random = new Random(5);
        Arrays.setAll(x, i -> random.nextInt(3));
        double[] places = Interpreter.run(pool, List.of(t), List.of(x)).get(1);
        return k.stores(k.b.add("dx", new Pooling.MaxGrad(kernel, stride, padding, t.shape().h(), t.shape().w()),
                k.input(types.get(0)), k.input(types.get(1), places)));
    }

    private static KernelCase shortcut(Type t) {
        KernelCase k = start(OwnKernels.SHORTCUT, t);
        return k.stores(k.b.add("y", new Shortcut.Pad(2, 2 * t.shape().c() + t.shape().c() % 2 * 3), k.input(t)));
    }

    private static KernelCase shortcutGrad(Type t) {
        KernelCase k = start(OwnKernels.SHORTCUT, "gradient " + t);
        Shape s = t.shape();
        Type dy = new Type(t.dtype(), Shape.of(s.n(), 2 * s.c() + s.c() % 2 * 3, (s.h() + 1) / 2, (s.w() + 1) / 2));
        return k.stores(k.b.add("dx", new Shortcut.PadGrad(2, s.c(), s.h(), s.w()), k.input(dy)));
    }

    private static KernelCase normalize(Type pixels, DType to, Layout layout) {
        KernelCase k = start(OwnKernels.NORMALIZE, pixels + " to " + to + " " + layout.label());
        int c = pixels.shape().c();
        Value y = k.b.add("y", new Conversion.Normalize(List.of(0.485, 0.456, 0.406).subList(0, c),
                List.of(0.229, 0.224, 0.225).subList(0, c), to), k.input(pixels));
        return k.layout(y, layout).stores(y);
    }

    private static KernelCase loss(double smoothing, boolean value, boolean gradient) {
        KernelCase k = start(OwnKernels.CROSS_ENTROPY, smoothing + (value ? " loss" : "") + (gradient ? " gradient" : ""));
        Value logits = k.input(Type.f32(6, 300), 1, 3);
        Value labels = k.input(new Type(DType.I32, Shape.of(6)), new double[] {0, 299, -1, 17, -1, 256});
        List<Value> out = new ArrayList<>();
        if (value) {
            out.add(k.b.add("loss", new Loss.SoftmaxCrossEntropy(smoothing), logits, labels));
        }
        if (gradient) {
            out.add(k.b.add("gradient", new Loss.SoftmaxCrossEntropyGrad(smoothing), logits, labels));
        }
        return k.stores(out);
    }

    private static KernelCase mixedLoss(double smoothing) {
        KernelCase k = start(OwnKernels.CROSS_ENTROPY, smoothing + " loss gradient of mixed images");
        Type labels = new Type(DType.I32, Shape.of(6));
        List<Value> in = List.of(k.input(Type.f32(6, 300), 1, 3), k.input(labels, new double[] {0, 299, -1, 17, 5, 256}),
                k.input(labels, new double[] {7, 299, 3, 0, -1, 255}), k.input(Rates.TYPE, new double[] {0.125, 3, 0.25, 1, 0, 0, 0, 0}));
        return k.stores(k.b.addAll("loss", new Loss.SoftmaxCrossEntropy(smoothing), in).getFirst(),
                k.b.addAll("gradient", new Loss.SoftmaxCrossEntropyGrad(smoothing), in).getFirst());
    }
}
