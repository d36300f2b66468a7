package io.firn.backend.cuda.kernels;

import io.firn.graph.Activation;
import io.firn.graph.Linear;
import io.firn.graph.Node;
import io.firn.graph.Value;
import io.firn.plan.Subgraph;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Launches of small products [N,in] → [N,out] with activations between, before or after them ({@code excitation.cu}): each
 * node is a step over a block's few samples, with a barrier after it.
 */
final class ExcitationKernel {
    private static final int THREADS = 256;
    private static final int SHARED = 48 * 1024;
    private static final int MOST_SAMPLES = 4;
    /** Blocks below which fewer samples a block are better. */
    private static final int ENOUGH_BLOCKS = 64;

    private final Subgraph subgraph;
    private final CallBuilder call;
    private final int samples;
    private final Map<Value, String> shared = new HashMap<>();
    private final StringBuilder steps = new StringBuilder();
    private int used;

    private ExcitationKernel(Subgraph s, int samples) {
        subgraph = s;
        this.samples = samples;
        call = new CallBuilder("excitation", s);
    }

    static boolean supports(List<Node> nodes) {
        Set<Value> made = new HashSet<>();
        boolean product = false;
        for (Node n : nodes) {
            boolean known = switch (n.op()) {
                case Linear.Forward l -> !made.contains(n.input(1)) && !made.contains(n.input(2));
                case Linear.Dgrad l -> !made.contains(n.input(1));
                case Activation a -> n.output().shape().rank() == 2;
                default -> false;
            };
            if (!known || n.output().shape().n() != nodes.getFirst().output().shape().n()) {
                return false;
            }
            product |= n.op() instanceof Linear;
            made.addAll(n.outputs());
        }
        return product && nodes.stream().mapToInt(n -> 4 * n.output().shape().c()).sum() <= SHARED;
    }

    static KernelCalls calls(Subgraph s) {
        int batch = s.nodes().getFirst().output().shape().n();
        int samples = MOST_SAMPLES;
        int widths = s.nodes().stream().mapToInt(n -> n.output().shape().c()).sum();
        while (samples > 1 && (4 * widths * samples > SHARED || Math.ceilDiv(batch, samples) < ENOUGH_BLOCKS)) {
            samples /= 2;
        }
        return new ExcitationKernel(s, samples).calls(batch);
    }

    private KernelCalls calls(int batch) {
        call.integer("samples", batch);
        subgraph.nodes().forEach(this::step);
        call.constant("SAMPLES", samples).constant("THREADS", THREADS).part("steps", steps.toString());
        return new KernelCalls(List.of(call.build(new KernelCall.Grid(Math.ceilDiv(batch, samples), 1, 1, THREADS, 1, 4 * used))), 0);
    }

    private void step(Node n) {
        Value y = n.output();
        String width = call.count(y.shape().c());
        String name = "s_" + call.name(y);
        steps.append("float* const %s = shared + %s;\n".formatted(name, call.count(used)));
        used += samples * y.shape().c();
        String write = "%s[s * %s + k] = y;".formatted(name, width);
        if (subgraph.outputs().contains(y)) {
            write += " if (first + s < a.samples) %s[(long long) (first + s) * %s + k] = y;".formatted(call.output(y), width);
        }
        switch (n.op()) {
            case Linear.Forward l -> steps.append("product(%s, %s, %s, %s, %s,\n    [&](int s, int k, float y) { %s });\n".formatted(
                    call.input(n.input(1)), call.input(n.input(2)), width, call.count(n.input(0).shape().c()),
                    reader(n.input(0)), write));
            case Linear.Dgrad l -> steps.append("product_back(%s, %s, %s, %s,\n    [&](int s, int k, float y) { %s });\n".formatted(
                    call.input(n.input(1)), call.count(n.input(0).shape().c()), width, reader(n.input(0)), write));
            case Activation a -> steps.append("each(%s, [&](int s, int k) {\n  const float y = %s;\n  %s\n});\n".formatted(width,
                    activation(a, n), write));
            default -> throw new IllegalArgumentException(n + " is no step of an excitation");
        }
        steps.append("__syncthreads();\n");
        shared.put(y, name);
    }

    private String activation(Activation op, Node n) {
        String x = element(n.input(0));
        return switch (op) {
            case Activation.Forward(Activation.Kind kind) -> switch (kind) {
                case RELU -> "relu(%s)".formatted(x);
                case SILU -> "%s * sigmoid(%1$s)".formatted(x);
                case SIGMOID -> "sigmoid(%s)".formatted(x);
            };
            case Activation.Grad(Activation.Kind kind) -> {
                String saved = element(n.input(1));
                yield switch (kind) {
                    case RELU -> "%s > 0.f ? %s : 0.f".formatted(saved, x);
                    case SILU -> "%s * silu_slope(%s)".formatted(x, saved);
                    case SIGMOID -> "%s * %s * (1.f - %2$s)".formatted(x, saved);
                };
            }
        };
    }

    private String reader(Value v) {
        return "[&](int s, int k) { return %s; }".formatted(element(v));
    }

    /** The element of sample {@code s} and column {@code k}; 0 for samples past the last. */
    private String element(Value v) {
        String width = call.count(v.shape().c());
        return shared.containsKey(v) ? "%s[s * %s + k]".formatted(shared.get(v), width)
                : "(first + s < a.samples ? %s[(long long) (first + s) * %s + k] : 0.f)".formatted(call.input(v), width);
    }
}
