package io.firn.backend.cuda.kernels;

import io.firn.graph.Counter;
import io.firn.graph.DType;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Node;
import io.firn.graph.Rates;
import io.firn.graph.Type;
import io.firn.graph.Value;
import io.firn.oracle.GraphOracle;
import io.firn.oracle.Magnitudes;
import io.firn.oracle.Tolerance;
import io.firn.plan.Launch;
import io.firn.plan.Layout;
import io.firn.plan.Subgraph;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;

/** A subgraph with random inputs, to be run by one of our kernels and held to the oracle within the local tolerance. */
final class KernelCase {
    final GraphBuilder b = new GraphBuilder();
    private final String name;
    private final OwnKernels kernel;
    private final Random random;
    private final Map<Value, double[]> given = new LinkedHashMap<>();
    private final Map<Value, Layout> layouts = new HashMap<>();
    private final Map<Value, Value> inPlace = new HashMap<>();
    private Subgraph subgraph;
    private KernelCalls calls;

    KernelCase(String name, OwnKernels kernel, long seed) {
        this.name = name;
        this.kernel = kernel;
        random = new Random(seed);
    }

    /** A launch of a plan, with elements for all that it reads. */
    static KernelCase of(Launch l, Map<Value, double[]> values) {
        KernelCase k = new KernelCase("%s (%s)".formatted(l.name(), l.op()),
                OwnKernels.valueOf(l.kernel().name().toUpperCase()), 0);
        k.subgraph = l.subgraph();
        for (int i = 0; i < l.inputs().size(); i++) {
            Value v = l.subgraph().inputs().get(i);
            k.given.put(v, Arrays.stream(values.get(v)).map(v.dtype()::round).toArray());
            k.layouts.put(v, l.inputs().get(i).layout());
        }
        for (int i = 0; i < l.outputs().size(); i++) {
            k.layouts.put(l.subgraph().outputs().get(i), l.outputs().get(i).layout());
            for (int j = 0; j < l.inputs().size(); j++) {
                if (l.outputs().get(i).offset() == l.inputs().get(j).offset()
                        && l.outputs().get(i).arena() == l.inputs().get(j).arena()) {
                    k.inPlace.put(l.subgraph().outputs().get(i), l.subgraph().inputs().get(j));
                }
            }
        }
        k.calls = OwnKernels.of(l);
        return k;
    }

    /** Normally distributed around {@code mean}; pixels and labels are what they can be. */
    Value input(Type type, double mean, double deviation) {
        double[] x = new double[(int) type.shape().elements()];
        for (int i = 0; i < x.length; i++) {
            x[i] = type.dtype() == DType.U8 ? random.nextInt(256) : type.dtype().round(mean + deviation * random.nextGaussian());
        }
        return input(type, x);
    }

    Value input(Type type, double[] data) {
        Value v = b.input("in" + given.size(), type);
        given.put(v, data);
        return v;
    }

    Value input(Type type) {
        return input(type, 0, 1);
    }

    /** At least a half: variances, deviations. */
    Value positive(Type type) {
        Value v = input(type);
        double[] x = given.get(v);
        for (int i = 0; i < x.length; i++) {
            x[i] = type.dtype().round(0.5 + Math.abs(x[i]));
        }
        return v;
    }

    Value counter() {
        return input(Counter.TYPE, new double[] {7, 3, 11, 1, 40, 0, 0, 0});
    }

    Value rates(double learningRate, double step) {
        double[] x = new double[Rates.SIZE];
        x[Rates.LEARNING_RATE] = (float) learningRate;
        x[Rates.STEP] = step;
        return input(Rates.TYPE, x);
    }

    KernelCase layout(Value v, Layout layout) {
        layouts.put(v, layout);
        return this;
    }

    /** The output is written over this input. */
    KernelCase over(Value output, Value input) {
        inPlace.put(output, input);
        return this;
    }

    /** Ends the case: these values are stored. */
    KernelCase stores(List<Value> outputs) {
        List<Node> nodes = b.build().nodes();
        if (!kernel.supports(nodes, Set.copyOf(outputs))) {
            throw new AssertionError(name + " is not supported");
        }
        subgraph = Subgraph.of(nodes, Set.copyOf(outputs)::contains);
        calls = kernel.calls(subgraph, this::layout);
        return this;
    }

    KernelCase stores(Value... outputs) {
        return stores(List.of(outputs));
    }

    private Layout layout(Value v) {
        return layouts.getOrDefault(v, v.shape().rank() == 4 ? Layout.NHWC : Layout.DENSE);
    }

    List<KernelSource> sources() {
        return calls.calls().stream().map(KernelCall::source).toList();
    }

    KernelCalls calls() {
        return calls;
    }

    /** Runs all calls in all orders of threads; throws where a result is wrong, or a byte beside the operands changed. */
    void check(Shim shim) {
        check(shim, List.of(Shim.Order.values()));
    }

    /** In some orders only. */
    void check(Shim shim, List<Shim.Order> orders) {
        Tolerance tolerance = tolerance();
        Map<Value, double[]> expected = new HashMap<>(given);
        Map<Value, double[]> magnitudes = Magnitudes.of(subgraph.nodes(), given, tolerance);
        GraphOracle.run(subgraph.nodes(), expected, GraphOracle.Precision.EXACT);
        Map<Value, double[]> first = null;
        for (Shim.Order order : orders) {
            Map<Value, double[]> results = run(shim, order);
            for (Value v : subgraph.outputs()) {
                double error = Tolerance.error(results.get(v), expected.get(v), magnitudes.get(v));
                int at = Tolerance.worst(results.get(v), expected.get(v), magnitudes.get(v));
                if (!(error <= tolerance.share())) {
                    throw new AssertionError("%s, threads %s: %s[%d] is %s, not %s: %.3g of its magnitude %.3g".formatted(this,
                            order, v, at, results.get(v)[at], expected.get(v)[at], error, magnitudes.get(v)[at]));
                }
                if (first != null && !Arrays.equals(first.get(v), results.get(v))) {
                    throw new AssertionError("%s: %s depends on the order of threads".formatted(this, v));
                }
            }
            first = first == null ? results : first;
        }
    }

    private Map<Value, double[]> run(Shim shim, Shim.Order order) {
        try (Arena arena = Arena.ofConfined()) {
            Map<Value, GuardedMemory> memory = new LinkedHashMap<>();
            for (Value v : subgraph.inputs()) {
                GuardedMemory m = new GuardedMemory(arena, layout(v).bytes(v.type()));
                m.write(v.type(), layout(v), given.get(v));
                memory.put(v, m);
            }
            for (Value v : subgraph.outputs()) {
                memory.put(v, inPlace.containsKey(v) ? memory.get(inPlace.get(v))
                        : new GuardedMemory(arena, layout(v).bytes(v.type())));
            }
            GuardedMemory workspace = new GuardedMemory(arena, calls.workspace());
            for (KernelCall call : calls.calls()) {
                GuardedMemory table = new GuardedMemory(arena, call.table().size());
                call.table().write(table.inner(), o -> address(o, memory, workspace, table));
                shim.run(call, o -> address(o, memory, workspace, table), order, 1);
            }
            Stream.concat(memory.entrySet().stream(), Stream.of(Map.entry(new Value(-1, "workspace", Counter.TYPE), workspace)))
                    .filter(e -> !e.getValue().guardsHold()).findFirst().ifPresent(e -> {
                        throw new AssertionError("%s, threads %s: wrote beside %s".formatted(this, order, e.getKey()));
                    });
            for (Value v : subgraph.inputs()) {
                if (!inPlace.containsValue(v)
                        && !Arrays.equals(memory.get(v).read(v.type(), layout(v)), given.get(v))) {
                    throw new AssertionError("%s, threads %s: changed its input %s".formatted(this, order, v));
                }
            }
            subgraph.outputs().stream().filter(v -> !memory.get(v).paddingIsZero(v.type(), layout(v))).findFirst().ifPresent(v -> {
                throw new AssertionError("%s, threads %s: the padding of %s is not zero".formatted(this, order, v));
            });
            Map<Value, double[]> results = new HashMap<>();
            subgraph.outputs().forEach(v -> results.put(v, memory.get(v).read(v.type(), layout(v))));
            return results;
        }
    }

    private long address(Operand o, Map<Value, GuardedMemory> memory, GuardedMemory workspace, GuardedMemory table) {
        return switch (o) {
            case Operand.Input(int i) -> memory.get(subgraph.inputs().get(i)).address();
            case Operand.Output(int i) -> memory.get(subgraph.outputs().get(i)).address();
            case Operand.Workspace(long offset) -> workspace.address() + offset;
            case Operand.Table() -> table.address();
        };
    }

    /** That of the least exact type that anything is stored in or passes through. */
    private Tolerance tolerance() {
        Tolerance t = Tolerance.FP32;
        for (Value v : (Iterable<Value>) subgraph.nodes().stream()
                .flatMap(n -> Stream.concat(n.inputs().stream(), n.outputs().stream()))::iterator) {
            t = Tolerance.of(v.dtype()).share() > t.share() ? Tolerance.of(v.dtype()) : t;
        }
        return t;
    }

    @Override
    public String toString() {
        return name;
    }
}
