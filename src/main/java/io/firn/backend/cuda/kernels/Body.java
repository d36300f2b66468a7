package io.firn.backend.cuda.kernels;

import io.firn.graph.Activation;
import io.firn.graph.Conversion;
import io.firn.graph.DType;
import io.firn.graph.Drop;
import io.firn.graph.Elementwise;
import io.firn.graph.Gate;
import io.firn.graph.Linear;
import io.firn.graph.Masks;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Pooling;
import io.firn.graph.Shape;
import io.firn.graph.Value;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/**
 * The C++ that computes pointwise nodes for V neighbouring channels of one pixel, as parts of a kernel's text. The kernel
 * provides {@code a} (arguments), {@code c} (first channel), {@code n} (sample, where {@link #perSample}), {@code q} (pixel)
 * and {@code i} (lane); a value is a float in a register from where it is loaded or computed to where it is stored.
 */
final class Body {
    private final CallBuilder call;
    private final Shape shape;
    private final String loads;
    private final Map<Value, String> known = new HashMap<>();
    private final Set<Value> vectors = new HashSet<>();
    private final StringBuilder once = new StringBuilder();
    private final StringBuilder fields = new StringBuilder();
    private final StringBuilder fetches = new StringBuilder();
    private final StringBuilder declared = new StringBuilder();
    private final StringBuilder computed = new StringBuilder();
    private final StringBuilder stored = new StringBuilder();
    private final List<Sum> sums = new ArrayList<>();
    private boolean perSample;
    private int factors;

    /** What a thread adds up: output {@code output} of a node, before {@link VectorOps} finishes it. */
    record Sum(Node node, int output) {
        Value value() {
            return node.outputs().get(output);
        }

        /** Whether it is by sample and channel, else by channel. */
        boolean isPerSample() {
            return node.op() instanceof Pooling.GlobalAverage || node.op() instanceof Gate.ScaleGrad;
        }
    }

    /**
     * @param shape of the activations
     * @param loads name of the struct of what is loaded for a pixel, and of its variable in small letters
     */
    Body(CallBuilder call, Shape shape, String loads) {
        this.call = call;
        this.shape = shape;
        this.loads = loads;
    }

    /** An activation that the kernel has in registers: an expression in the lane {@code i}. */
    Body given(Value v, String expression) {
        known.put(v, expression);
        return this;
    }

    /** Computes the nodes, in order, and stores those of their activations that are among {@code outputs}. */
    Body add(List<Node> nodes, List<Value> outputs) {
        for (Node n : nodes) {
            if (Pointwise.isSum(n)) {
                sum(n);
            } else if (!Pointwise.isVectorOp(n)) {
                computed.append("const float %s = %s;\n".formatted(call.name(n.output()), expression(n)));
                known.put(n.output(), call.name(n.output()));
                if (outputs.contains(n.output())) {
                    store(n.output());
                }
            } else if (nodes.stream().anyMatch(m -> !Pointwise.isVectorOp(m) && !Pointwise.isSum(m)
                    && m.inputs().stream().anyMatch(n.outputs()::contains))) {
                n.outputs().forEach(v -> once.append("float %s[V];\n".formatted(call.name(v))));
                List<String> in = n.inputs().stream().map(v -> vector(v) + "[i]").toList();
                once.append("for (int i = 0; i < V; i++) {\n").append(VectorOps.of(n, in,
                        n.outputs().stream().map(v -> call.name(v) + "[i]").toList(), call)).append("}\n");
                vectors.addAll(n.outputs());
            }
        }
        return this;
    }

    /** A value in a register of lane {@code i}; loaded where the nodes do not compute it. */
    String lane(Value v) {
        return known.computeIfAbsent(v, k -> {
            String field = call.name(v);
            String type = "Pack<%s, V>".formatted(CallBuilder.type(v.dtype()));
            fields.append("  %s %s;\n".formatted(type, field));
            fetches.append("  l.%s = load<V>(%s + at);\n".formatted(field, call.input(v)));
            return "get(l.%s.at[i])".formatted(field);
        });
    }

    /** An array of V floats of a vector [C], or of a matrix [N,C]; loaded once. */
    String vector(Value v) {
        if (vectors.add(v)) {
            boolean matrix = v.shape().rank() == 2;
            perSample |= matrix;
            once.append("float %s[V];\nload_vector<V>(%s, %s + %sc);\n".formatted(call.name(v), call.name(v), call.input(v),
                    matrix ? "(long long) n * a.channels + " : ""));
        }
        return call.name(v);
    }

    private String expression(Node n) {
        return switch (n.op()) {
            case Normalization.Apply a -> n.inputs().size() == 2
                    ? "%s * %s[i]".formatted(lane(n.input(0)), vector(n.input(1)))
                    : "%s * %s[i] + %s[i]".formatted(lane(n.input(0)), vector(n.input(1)), vector(n.input(2)));
            case Normalization.GradApply(long count) -> gradApply(n, count);
            case Activation.Forward(Activation.Kind kind) -> switch (kind) {
                case RELU -> "relu(%s)".formatted(lane(n.input(0)));
                case SILU -> "%s * sigmoid(%1$s)".formatted(lane(n.input(0)));
                case SIGMOID -> "sigmoid(%s)".formatted(lane(n.input(0)));
            };
            case Activation.Grad(Activation.Kind kind) -> {
                String saved = lane(n.input(1));
                yield switch (kind) {
                    case RELU -> "%s > 0.f ? %s : 0.f".formatted(saved, lane(n.input(0)));
                    case SILU -> "%s * silu_slope(%s)".formatted(lane(n.input(0)), saved);
                    case SIGMOID -> "%s * %s * (1.f - %2$s)".formatted(lane(n.input(0)), saved);
                };
            }
            case Elementwise.Add a -> "%s + %s".formatted(lane(n.input(0)), lane(n.input(1)));
            case Gate.Scale g -> "%s * %s[i]".formatted(lane(n.input(0)), vector(n.input(1)));
            case Drop d -> drop(n, d);
            case Conversion.Cast c -> lane(n.input(0));
            case Pooling.GlobalAverageGrad g -> "%s[i] * %s".formatted(vector(n.input(0)), call.number(1.0 / shape.area()));
            default -> throw new IllegalArgumentException(n + " is not computed pixel by pixel");
        };
    }

    /** dx = u · dy + v · x + w with three vectors, where the formula has five. */
    private String gradApply(Node n, long count) {
        List<String> in = n.inputs().subList(2, 7).stream().map(this::vector).toList();
        String u = "u" + factors;
        String v = "s" + factors;
        String w = "t" + factors++;
        once.append("float %s[V], %s[V], %s[V];\n".formatted(u, v, w));
        once.append("""
                for (int i = 0; i < V; i++) {
                  %1$s[i] = %4$s[i] * %6$s[i];
                  %2$s[i] = -%1$s[i] * %6$s[i] * %7$s[i] * %9$s;
                  %3$s[i] = -%1$s[i] * %8$s[i] * %9$s - %2$s[i] * %5$s[i];
                }
                """.formatted(u, v, w, in.get(0), in.get(1), in.get(2), in.get(3), in.get(4), call.number(1.0 / count)));
        return "%s[i] * %s + (%s[i] * %s + %s[i])".formatted(u, lane(n.input(0)), v, lane(n.input(1)), w);
    }

    private String drop(Node n, Drop op) {
        perSample = true;
        String counter = call.input(n.input(1));
        String factor = call.number(1 / (1 - op.p()));
        String id = call.count(op.id());
        String threshold = call.count(Masks.threshold(op.p()));
        return switch (op) {
            case Drop.DropPath d -> {
                String kept = "kept" + factors++;
                once.append("const float %s = keeps(%s, %s, (long long) %s[4] + n, %s) ? %s : 0.f;\n".formatted(kept,
                        counter, id, counter, threshold, factor));
                yield "%s * %s".formatted(lane(n.input(0)), kept);
            }
            case Drop.Dropout d -> ("keeps(%s, %s, ((long long) %1$s[4] + n) * a.channels * %s + (long long) (c + i) * %3$s + q, "
                    + "%s) ? %s * %s : 0.f").formatted(counter, id, call.count(shape.area()), threshold, lane(n.input(0)), factor);
        };
    }

    private void sum(Node n) {
        for (int o = 0; o < n.outputs().size(); o++) {
            String to = "sum[%d][i]".formatted(sums.size());
            String x = lane(n.input(0));
            computed.append(switch (n.op()) {
                case Normalization.Statistics s -> o == 0 ? "%s += %s;\n".formatted(to, x)
                        : "%s += %s * %2$s;\n".formatted(to, x);
                // The factor invstd follows when the sum is done.
                case Normalization.GradSums g -> o == 1 ? "%s += %s;\n".formatted(to, x)
                        : "%s += %s * (%s - %s[i]);\n".formatted(to, x, lane(n.input(1)), vector(n.input(2)));
                case Gate.ScaleGrad g -> "%s += %s * %s;\n".formatted(to, x, lane(n.input(1)));
                case Pooling.GlobalAverage g -> "%s += %s;\n".formatted(to, x);
                case Linear.BiasGrad b -> "%s += %s;\n".formatted(to, x);
                default -> throw new IllegalArgumentException(n + " is no sum");
            });
            sums.add(new Sum(n, o));
            perSample |= sums.getLast().isPerSample();
        }
    }

    /** Stores an activation that is known. */
    void store(Value v) {
        String pack = "y_" + call.name(v);
        declared.append("Pack<%s, V> %s;\n".formatted(CallBuilder.type(v.dtype()), pack));
        computed.append("put(%s.at[i], %s);\n".formatted(pack, known.get(v)));
        stored.append("store<V>(%s + at, %s);\n".formatted(call.output(v), pack));
    }

    /** Hands a value of lane {@code i} to a statement of the kernel's. */
    void use(Value v, String statement) {
        computed.append(statement.formatted(lane(v)));
    }

    /** Whether {@code n} is read: pixels are then those of one sample. */
    boolean perSample() {
        return perSample;
    }

    List<Sum> sums() {
        return sums;
    }

    /** The struct of what a pixel loads, and the function {@code fetch} that loads it from element {@code at} on. */
    String declarations() {
        return "struct %s {\n%s};\nFIRN_DEVICE void fetch(%1$s& l, const Args& a, long long at) {\n%s}\n".formatted(loads,
                fields, fetches);
    }

    /** Lines before the loop over pixels. */
    String once() {
        return once.toString();
    }

    /** Lines before the loop over lanes. */
    String declare() {
        return declared.toString();
    }

    String compute() {
        return computed.toString();
    }

    /** Lines after the loop over lanes. */
    String store() {
        return stored.toString();
    }

    /** Lanes that fit 16 bytes of the narrowest type and divide the channels, so that every access is aligned. */
    static int lanes(int channels, Stream<Value> values) {
        boolean narrow = values.anyMatch(v -> v.dtype() == DType.BF16 || v.dtype() == DType.F16);
        int v = narrow ? 8 : 4;
        while (channels % v != 0) {
            v /= 2;
        }
        return v;
    }
}
