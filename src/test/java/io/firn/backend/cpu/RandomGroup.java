package io.firn.backend.cpu;

import io.firn.graph.Activation;
import io.firn.graph.Drop;
import io.firn.graph.Elementwise;
import io.firn.graph.Gate;
import io.firn.graph.Normalization;
import io.firn.graph.Pooling;
import io.firn.graph.Type;
import io.firn.graph.Value;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;

/** Adds random ops on random earlier values to a case, and stores a random part of what they compute. */
final class RandomGroup {
    private final FusedCase f;
    private final Type type;
    private final Random r;
    private final List<Value> activations = new ArrayList<>();
    private final List<Value> vectors = new ArrayList<>();
    private final List<Value> matrices = new ArrayList<>();
    private final List<Value> computed = new ArrayList<>();
    private final long count;

    RandomGroup(FusedCase f, Type type, Random r) {
        this.f = f;
        this.type = type;
        this.r = r;
        count = (long) type.shape().n() * type.shape().area();
        for (int i = 0; i < 3; i++) {
            activations.add(f.input(type, 0, 1));
            vectors.add(f.input(Type.f32(type.shape().c()), 0.1, 0.7));
            matrices.add(f.input(Type.f32(type.shape().n(), type.shape().c()), 0.1, 0.7));
        }
    }

    Set<Value> build() {
        List<Value> inputs = List.copyOf(activations);
        int nodes = 1 + r.nextInt(7);
        for (int i = 0; i < nodes; i++) {
            add(i);
        }
        Set<Value> outputs = new LinkedHashSet<>();
        for (Value v : computed) {
            if (r.nextInt(3) == 0 || v == computed.getLast()) {
                outputs.add(v);
            }
        }
        // One result goes over an input: any, since stores wait for their last reader.
        outputs.stream().filter(v -> v.shape().rank() == 4 && r.nextInt(3) > 0).findFirst()
                .ifPresent(v -> f.inPlace.put(v, inputs.get(r.nextInt(inputs.size()))));
        return outputs;
    }

    private void add(int i) {
        String name = "n" + i;
        Activation.Kind kind = Activation.Kind.values()[r.nextInt(3)];
        List<Value> out = switch (r.nextInt(12)) {
            case 0 -> f.b.addAll(name, new Normalization.Apply(), any(activations), any(vectors), any(vectors));
            case 1 -> f.b.addAll(name, new Activation.Forward(kind), any(activations));
            // ReLU's gradient jumps at zero: its saved operand must be free of rounding.
            case 2 -> f.b.addAll(name, new Activation.Grad(kind), any(activations),
                    kind == Activation.Kind.RELU ? activations.get(r.nextInt(3)) : any(activations));
            case 3, 4 -> f.b.addAll(name, new Elementwise.Add(), any(activations), any(activations));
            case 5 -> f.b.addAll(name, new Gate.Scale(), any(activations), any(matrices));
            case 6 -> f.b.addAll(name, new Gate.ScaleGrad(), any(activations), any(activations));
            case 7 -> f.b.addAll(name, new Pooling.GlobalAverage(), any(activations));
            case 8 -> f.b.addAll(name, new Pooling.GlobalAverageGrad(type), any(matrices));
            case 9 -> f.b.addAll(name, new Drop.DropPath(0.5, i), any(activations), f.counter());
            case 10 -> gradient(name);
            default -> statistics(name);
        };
        for (Value v : out) {
            computed.add(v);
            if (v.shape().rank() == 4) {
                activations.add(v);
            } else if (v.shape().rank() == 2) {
                matrices.add(v);
            }
        }
    }

    private List<Value> gradient(String name) {
        Value dy = any(activations);
        Value x = any(activations);
        Value mean = any(vectors);
        Value invstd = any(vectors);
        List<Value> out = new ArrayList<>(f.b.addAll(name, new Normalization.GradSums(), dy, x, mean, invstd));
        out.add(f.b.add(name + "dx", new Normalization.GradApply(count), dy, x, any(vectors), mean, invstd, out.get(0), out.get(1)));
        return out;
    }

    private List<Value> statistics(String name) {
        Value x = any(activations);
        List<Value> sums = f.b.addAll(name, new Normalization.Statistics(), x);
        List<Value> s = f.b.addAll(name, new Normalization.Finalise(0.1, 0.1, count), sums.get(0), sums.get(1),
                any(vectors), any(vectors), any(vectors), f.positive(Type.f32(type.shape().c())));
        List<Value> out = new ArrayList<>(s);
        out.add(f.b.add(name + "y", new Normalization.Apply(), x, s.get(2), s.get(3)));
        return out;
    }

    private Value any(List<Value> of) {
        return of.get(r.nextInt(of.size()));
    }
}
