package io.firn.backend.cuda.kernels;

import io.firn.graph.Activation;
import io.firn.graph.Activation.Kind;
import io.firn.graph.DType;
import io.firn.graph.Drop;
import io.firn.graph.Elementwise;
import io.firn.graph.Gate;
import io.firn.graph.Normalization;
import io.firn.graph.Pooling;
import io.firn.graph.Shape;
import io.firn.graph.Type;
import io.firn.graph.Value;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Random groups of pointwise ops: random operands among what is there, several sums, a random part of it stored. */
final class RandomPointwise {
    private static final int NODES = 9;

    private final KernelCase k;
    private final Random r;
    private final Type type;
    private final Type vector;
    private final Type matrix;
    private final List<Value> activations = new ArrayList<>();
    private final List<Value> computed = new ArrayList<>();

    private RandomPointwise(long seed) {
        k = new KernelCase("random group " + seed, OwnKernels.POINTWISE, seed);
        r = new Random(seed);
        DType dtype = List.of(DType.F32, DType.BF16, DType.F16).get(r.nextInt(3));
        int c = List.of(3, 8, 24, 36, 40).get(r.nextInt(5));
        type = new Type(dtype, Shape.of(1 + r.nextInt(3), c, 1 + r.nextInt(6), 1 + r.nextInt(6)));
        vector = Type.f32(c);
        matrix = Type.f32(type.shape().n(), c);
        for (int i = 0; i < 3; i++) {
            activations.add(k.input(type));
        }
    }

    static KernelCase of(long seed) {
        RandomPointwise p = new RandomPointwise(seed);
        for (int i = 0; i < NODES; i++) {
            p.add("n" + i);
        }
        List<Value> stored = new ArrayList<>();
        for (Value v : p.computed) {
            if (v.shape().rank() < 4 || p.r.nextInt(3) == 0 || v == p.computed.getLast()) {
                stored.add(v);
            }
        }
        return p.k.stores(stored);
    }

    private void add(String name) {
        Kind kind = Kind.values()[r.nextInt(3)];
        long count = (long) type.shape().n() * type.shape().area();
        List<Value> out = switch (r.nextInt(12)) {
            case 0 -> k.b.addAll(name, new Normalization.Apply(), any(), k.input(vector), k.input(vector));
            case 1 -> {
                List<Value> v = k.b.addAll(name + "v", new Normalization.Affine(1e-3), k.input(vector), k.input(vector),
                        k.input(vector), k.positive(vector));
                yield k.b.addAll(name, new Normalization.Apply(), any(), v.get(0), v.get(1));
            }
            case 2 -> k.b.addAll(name, new Activation.Forward(kind), any());
            // The gradients of ReLU and sigmoid take what they can come from: what is not rounded, what is in (0, 1).
            case 3 -> k.b.addAll(name, new Activation.Grad(kind), any(), switch (kind) {
                case RELU -> activations.get(r.nextInt(3));
                case SILU -> any();
                case SIGMOID -> k.b.add(name + "y", new Activation.Forward(kind), any());
            });
            case 4 -> k.b.addAll(name, new Elementwise.Add(), any(), any());
            case 5 -> k.b.addAll(name, new Gate.Scale(), any(), k.input(matrix));
            case 6 -> k.b.addAll(name, new Gate.ScaleGrad(), any(), any());
            case 7 -> k.b.addAll(name, new Pooling.GlobalAverage(), any());
            case 8 -> k.b.addAll(name, new Pooling.GlobalAverageGrad(type), k.input(matrix));
            case 9 -> k.b.addAll(name, new Drop.DropPath(0.5, r.nextInt(9)), any(), k.counter());
            case 10 -> k.b.addAll(name, new Normalization.GradApply(count), any(), any(), k.input(vector), k.input(vector),
                    k.positive(vector), k.input(vector), k.input(vector));
            default -> r.nextBoolean()
                    ? k.b.addAll(name, new Normalization.GradSums(), any(), any(), k.input(vector), k.positive(vector))
                    : k.b.addAll(name, new Normalization.Statistics(), any());
        };
        computed.addAll(out);
        out.stream().filter(v -> v.shape().rank() == 4).forEach(activations::add);
    }

    private Value any() {
        return activations.get(r.nextInt(activations.size()));
    }
}
