package io.firn.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;

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
import io.firn.plan.Layout;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The groups that plans fuse, and random ones, held to the interpreter in every layout, type and awkward shape. */
class FusedKernelTest {
    private static final Workers ONE = new Workers(1);
    private static final Workers TWO = new Workers(2);

    @AfterAll
    static void close() {
        ONE.close();
        TWO.close();
    }

    /** A group that is fused: adds its nodes to the case, and says what is stored and in how many passes. */
    private enum Group {
        FORWARD(2) {
            @Override
            Set<Value> build(FusedCase f, Type x) {
                List<Value> s = statistics(f, x, f.input(x, 3, 2));
                Value y = f.b.add("y", new Activation.Forward(Kind.RELU), apply(f, s, s.get(6)));
                return outputs(s, y);
            }
        },
        FORWARD_RESIDUAL_POOLED(2) {
            @Override
            Set<Value> build(FusedCase f, Type x) {
                List<Value> s = statistics(f, x, f.input(x, -100, 1));
                Value sum = f.b.add("sum", new Elementwise.Add(), apply(f, s, s.get(6)), f.input(x, 0, 1));
                Value y = f.b.add("y", new Activation.Forward(Kind.RELU), sum);
                return outputs(s, y, f.b.add("pooled", new Pooling.GlobalAverage(), y));
            }
        },
        FORWARD_TWO_BRANCHES(2) {
            @Override
            Set<Value> build(FusedCase f, Type x) {
                List<Value> s = statistics(f, x, f.input(x, 1, 1));
                Value other = f.b.add("other", new Normalization.Apply(), f.input(x, 0, 1), vector(f, x), vector(f, x));
                Value sum = f.b.add("sum", new Elementwise.Add(), apply(f, s, s.get(6)), other);
                return outputs(s, f.b.add("y", new Activation.Forward(Kind.RELU), sum));
            }
        },
        STATISTICS_ONLY(1) {
            @Override
            Set<Value> build(FusedCase f, Type x) {
                return Set.copyOf(f.b.addAll("s", new Normalization.Statistics(), f.input(x, 3, 1)));
            }
        },
        POOLED_ONLY(1) {
            @Override
            Set<Value> build(FusedCase f, Type x) {
                Value z = f.b.add("z", new Normalization.Apply(), f.input(x, 0, 2), vector(f, x), vector(f, x));
                Value y = f.b.add("y", new Activation.Forward(Kind.SILU), z);
                return Set.of(f.b.add("pooled", new Pooling.GlobalAverage(), y));
            }
        },
        GATED_EVALUATION(1) {
            @Override
            Set<Value> build(FusedCase f, Type x) {
                List<Value> a = f.b.addAll("affine", new Normalization.Affine(1e-5), vector(f, x), vector(f, x),
                        vector(f, x), f.positive(Type.f32(x.shape().c())));
                Value z = f.b.add("z", new Normalization.Apply(), f.input(x, 0, 2), a.get(0), a.get(1));
                Value y = f.b.add("y", new Activation.Forward(Kind.SILU), z);
                return Set.of(f.b.add("gated", new Gate.Scale(), y, matrix(f, x)));
            }
        },
        DROPPED_RESIDUAL(1) {
            @Override
            Set<Value> build(FusedCase f, Type x) {
                Value z = f.b.add("z", new Normalization.Apply(), f.input(x, 0, 2), vector(f, x), vector(f, x));
                Value d = f.b.add("d", new Drop.DropPath(0.4, 3), z, f.counter());
                return Set.of(f.b.add("y", new Elementwise.Add(), d, f.input(x, 0, 1)));
            }
        },
        BACKWARD_RELU_FORKED(2) {
            @Override
            Set<Value> build(FusedCase f, Type x) {
                Value one = f.input(x, 0, 1);
                Value dy = f.b.add("dy", new Elementwise.Add(), one, f.input(x, 0, 1));
                Value g = f.b.add("g", new Activation.Grad(Kind.RELU), dy, f.input(x, 0, 1));
                f.inPlace.put(g, one);
                return backward(f, x, g, f.input(x, 1, 2), g);
            }
        },
        BACKWARD_RELU_RECOMPUTED(2) {
            @Override
            Set<Value> build(FusedCase f, Type x) {
                Value in = f.input(x, 1, 2);
                Value z = f.b.add("z", new Normalization.Apply(), in, vector(f, x), vector(f, x));
                Value y = f.b.add("y", new Activation.Forward(Kind.RELU), z);
                Value dy = f.input(x, 0, 1);
                Value g = f.b.add("g", new Activation.Grad(Kind.RELU), dy, y);
                Set<Value> out = backward(f, x, g, in);
                out.stream().filter(v -> v.shape().rank() == 4).forEach(v -> f.inPlace.put(v, in));
                return out;
            }
        },
        BACKWARD_SILU_GATED(2) {
            @Override
            Set<Value> build(FusedCase f, Type x) {
                Value in = f.input(x, 1, 2);
                Value dy = f.input(x, 0, 1);
                Value scaled = f.b.add("scaled", new Gate.Scale(), dy, matrix(f, x));
                Value pooled = f.b.add("pooled", new Pooling.GlobalAverageGrad(x), matrix(f, x));
                Value both = f.b.add("both", new Elementwise.Add(), scaled, pooled);
                Value z = f.b.add("z", new Normalization.Apply(), in, vector(f, x), vector(f, x));
                Set<Value> out = backward(f, x, f.b.add("g", new Activation.Grad(Kind.SILU), both, z), in);
                out.stream().filter(v -> v.shape().rank() == 4).forEach(v -> f.inPlace.put(v, dy));
                return out;
            }
        },
        BACKWARD_LINEAR(2) {
            @Override
            Set<Value> build(FusedCase f, Type x) {
                return backward(f, x, f.input(x, 0, 1), f.input(x, 5, 1));
            }
        },
        GATE_GRADIENT(1) {
            @Override
            Set<Value> build(FusedCase f, Type x) {
                Value z = f.b.add("z", new Normalization.Apply(), f.input(x, 0, 2), vector(f, x), vector(f, x));
                Value y = f.b.add("y", new Activation.Forward(Kind.SILU), z);
                return Set.of(f.b.add("ds", new Gate.ScaleGrad(), f.input(x, 0, 1), y));
            }
        },
        SIGMOID(1) {
            @Override
            Set<Value> build(FusedCase f, Type x) {
                Value y = f.b.add("y", new Activation.Forward(Kind.SIGMOID), f.input(x, 0, 3));
                return Set.of(y, f.b.add("g", new Activation.Grad(Kind.SIGMOID), f.input(x, 0, 1), y));
            }
        };

        final int passes;

        Group(int passes) {
            this.passes = passes;
        }

        abstract Set<Value> build(FusedCase f, Type x);
    }

    private static Value vector(FusedCase f, Type x) {
        return f.input(Type.f32(x.shape().c()), 0.5, 1);
    }

    private static Value matrix(FusedCase f, Type x) {
        return f.input(Type.f32(x.shape().n(), x.shape().c()), 0.5, 1);
    }

    /** x's statistics: the six results of finalising, then x. */
    private static List<Value> statistics(FusedCase f, Type type, Value x) {
        List<Value> sums = f.b.addAll("sums", new Normalization.Statistics(), x);
        Value rm = vector(f, type);
        Value rv = f.positive(Type.f32(type.shape().c()));
        List<Value> s = new ArrayList<>(f.b.addAll("s", new Normalization.Finalise(1e-3, 0.1,
                (long) type.shape().n() * type.shape().area()), sums.get(0), sums.get(1), vector(f, type),
                vector(f, type), rm, rv));
        f.inPlace.put(s.get(4), rm);
        f.inPlace.put(s.get(5), rv);
        s.add(x);
        return s;
    }

    private static Value apply(FusedCase f, List<Value> s, Value x) {
        return f.b.add("apply", new Normalization.Apply(), x, s.get(2), s.get(3));
    }

    private static Set<Value> outputs(List<Value> s, Value... more) {
        Set<Value> out = new HashSet<>(Set.of(s.get(0), s.get(1), s.get(4), s.get(5)));
        out.addAll(List.of(more));
        return out;
    }

    private static Set<Value> backward(FusedCase f, Type type, Value g, Value x, Value... more) {
        Value mean = vector(f, type);
        Value invstd = f.positive(Type.f32(type.shape().c()));
        List<Value> sums = f.b.addAll("grads", new Normalization.GradSums(), g, x, mean, invstd);
        Value dx = f.b.add("dx", new Normalization.GradApply((long) type.shape().n() * type.shape().area()), g, x,
                vector(f, type), mean, invstd, sums.get(0), sums.get(1));
        Set<Value> out = new HashSet<>(Set.of(dx, sums.get(0), sums.get(1)));
        out.addAll(List.of(more));
        return out;
    }

    private static final List<Shape> SHAPES = List.of(Shape.of(2, 1, 5, 3), Shape.of(1, 3, 7, 5), Shape.of(5, 8, 3, 3),
            Shape.of(2, 16, 9, 7), Shape.of(1, 24, 13, 11), Shape.of(5, 40, 7, 7), Shape.of(2, 64, 5, 5),
            Shape.of(1, 96, 17, 31), Shape.of(2, 24, 1, 1), Shape.of(3, 72, 3, 5));

    @ParameterizedTest
    @EnumSource(Group.class)
    void equalsTheInterpreter(Group group) {
        for (Shape shape : SHAPES) {
            for (DType dtype : List.of(DType.F32, DType.BF16)) {
                for (Layout layout : List.of(Layout.NHWC, Layout.BLOCKED16)) {
                    for (Workers workers : List.of(ONE, TWO)) {
                        FusedCase f = new FusedCase(layout, 1);
                        Set<Value> outputs = group.build(f, new Type(dtype, shape));
                        try {
                            assertThat(f.check(workers, outputs)).isEqualTo(group.passes);
                        } catch (RuntimeException | AssertionError e) {
                            throw new AssertionError("%s %s %s %s, %d threads: %s".formatted(group, dtype, layout.label(),
                                    shape, workers.threads(), e.getMessage()), e);
                        }
                    }
                }
            }
        }
    }

    /** Random graphs of random ops, with random results stored, some over inputs that nothing else reads. */
    @Test
    void equalsTheInterpreterOnRandomGroups() {
        for (int seed = 0; seed < Integer.getInteger("firn.seeds", 300); seed++) {
            Random r = new Random(seed);
            Shape shape = SHAPES.get(r.nextInt(SHAPES.size()));
            Type type = new Type(r.nextBoolean() ? DType.F32 : DType.BF16, shape);
            FusedCase f = new FusedCase(r.nextBoolean() ? Layout.NHWC : Layout.BLOCKED16, seed);
            Set<Value> outputs = new RandomGroup(f, type, r).build();
            try {
                f.check(r.nextBoolean() ? ONE : TWO, outputs);
            } catch (RuntimeException | AssertionError e) {
                throw new AssertionError("seed %d, %s: %s%n%s%n%s%n%s".formatted(seed, type, e.getMessage(), outputs,
                        f.inPlace, f.b.build().nodes()), e);
            }
        }
    }
}
