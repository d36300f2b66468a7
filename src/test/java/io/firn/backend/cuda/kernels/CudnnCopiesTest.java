package io.firn.backend.cuda.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.backend.cuda.CudnnCalls;
import io.firn.backend.cuda.cudnn.CudnnGraph;
import io.firn.backend.cuda.cudnn.CudnnGraph.Tensor;
import io.firn.backend.cuda.cudnn.CudnnInterpreter;
import io.firn.backend.cuda.cudnn.Lowering;
import io.firn.graph.Activation;
import io.firn.graph.Convolution;
import io.firn.graph.DType;
import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Normalization;
import io.firn.graph.Shape;
import io.firn.graph.Type;
import io.firn.graph.Value;
import io.firn.oracle.GraphOracle;
import io.firn.oracle.Magnitudes;
import io.firn.oracle.Tolerance;
import io.firn.plan.Layout;
import io.firn.plan.Precision;
import io.firn.plan.Subgraph;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Products that cuDNN takes in another form than memory's: copies, its graph and copies back are the subgraph. */
class CudnnCopiesTest {

    /**
     * One way of asking for a product.
     *
     * @param images how what has few channels lies, but for gradients
     */
    record Case(Subgraph subgraph, CudnnGraph graph, Layout images) {
        private Layout layout(Value v) {
            boolean padded = v.shape().rank() == 4 && v.shape().c() < 4 && subgraph.inputs().contains(v);
            return v.shape().rank() != 4 ? Layout.DENSE : padded ? images : Layout.NHWC;
        }

        @Override
        public String toString() {
            return "%s, images %s, %s".formatted(subgraph.anchor(), images.label(), graph);
        }
    }

    @BeforeAll
    static void compilers() {
        KernelsTest.skipWithoutCompiler("CudnnCopiesTest");
    }

    static Stream<Case> cases() {
        return Stream.of(Layout.NHWC, Layout.NHWC4).flatMap(images -> Stream.of(DType.BF16, DType.F16).flatMap(t ->
                Stream.of(stem(t, 3), stem(t, 1), forward(t), grouped(t), recomputing(t)).flatMap(s -> ways(s).stream()
                        .map(g -> new Case(s, g, images)))));
    }

    private static List<CudnnGraph> ways(Subgraph s) {
        return Lowering.ways(s, s.anchor().input(0).dtype() == DType.BF16 ? Precision.BF16 : Precision.FP16);
    }

    private static Subgraph forward(DType t) {
        GraphBuilder b = new GraphBuilder();
        return whole(b, b.add("y", new Convolution.Forward(2, 1, 1), b.input("x", new Type(t, Shape.of(2, 3, 10, 10))),
                b.input("w", new Type(t, Shape.of(8, 3, 3, 3)))));
    }

    private static Subgraph stem(DType t, int channels) {
        GraphBuilder b = new GraphBuilder();
        return whole(b, b.add("dw", new Convolution.Wgrad(2, 1, 1, 3), b.input("x", new Type(t, Shape.of(2, channels, 10, 10))),
                b.input("dy", new Type(t, Shape.of(2, 8, 5, 5)))));
    }

    private static Subgraph grouped(DType t) {
        GraphBuilder b = new GraphBuilder();
        return whole(b, b.add("dw", new Convolution.Wgrad(1, 1, 4, 3), b.input("x", new Type(t, Shape.of(2, 16, 6, 6))),
                b.input("dy", new Type(t, Shape.of(2, 16, 6, 6)))));
    }

    private static Subgraph recomputing(DType t) {
        GraphBuilder b = new GraphBuilder();
        Type map = new Type(t, Shape.of(2, 8, 6, 6));
        Value bn = b.add("bn", new Normalization.Apply(), b.input("x", map), b.input("scale", Type.f32(8)),
                b.input("shift", Type.f32(8)));
        return whole(b, b.add("dw", new Convolution.Wgrad(1, 1, 1, 3),
                b.add("relu", new Activation.Forward(Activation.Kind.RELU), bn), b.input("dy", map)));
    }

    private static Subgraph whole(GraphBuilder b, Value result) {
        Graph g = b.build();
        return Subgraph.of(g.nodes(), result::equals);
    }

    static Stream<KernelSource> sources() {
        return cases().flatMap(c -> calls(c).stream()).map(KernelCall::source).distinct();
    }

    private static List<KernelCall> calls(Case c) {
        CudnnCalls calls = CudnnCalls.of(c.subgraph, c.graph, c::layout);
        return Stream.concat(calls.before().stream(), calls.after().stream()).toList();
    }

    @ParameterizedTest
    @MethodSource("cases")
    void computeTheSubgraph(Case c) throws IOException {
        check(c, Shim.of(calls(c).stream().map(KernelCall::source).toList()));
    }

    private static Case best(Subgraph s, Layout images) {
        return new Case(s, ways(s).getFirst(), images);
    }

    @Test
    void whatNeedsCopies() {
        assertThat(calls(best(forward(DType.BF16), Layout.NHWC))).as("three channels become four").hasSize(2);
        assertThat(calls(best(forward(DType.BF16), Layout.NHWC4))).as("four are there").isEmpty();
        assertThat(calls(best(stem(DType.BF16, 3), Layout.NHWC))).as("three become four, and back").hasSize(2);
        assertThat(calls(best(stem(DType.BF16, 3), Layout.NHWC4))).as("the gradient's four become three").hasSize(1);
        assertThat(calls(best(grouped(DType.F16), Layout.NHWC))).as("the gradient becomes f32").hasSize(1);
        assertThat(calls(best(recomputing(DType.F16), Layout.NHWC))).as("scale and shift become fp16").hasSize(2);
    }

    @Test
    void aFaultIsCaught() throws IOException {
        Case stem = cases().findFirst().orElseThrow();
        for (String[] fault : new String[][] {{"row * FROM_C + c + i", "row * TO_C + c + i"},
            {"row * TO_C + c", "row * TO_C + (c ^ 1)"},
            {"row >= a.rows", "row >= a.rows - 1"}, {"row >= a.rows", "row > a.rows"}}) {
            List<KernelSource> broken = calls(stem).stream().map(KernelCall::source)
                    .map(s -> new KernelSource(s.entry(), s.body().replace(fault[0], fault[1]))).toList();
            Shim shim = Shim.of(KernelSource.prelude(), broken);
            assertThatThrownBy(() -> check(stem, shim)).as(fault[1]).isInstanceOf(AssertionError.class);
        }
    }

    /** As it lies in memory: elements one after the other. */
    private static Type flat(Tensor t) {
        return new Type(t.type(), Shape.of((int) t.elements()));
    }

    private static void check(Case c, Shim shim) {
        Subgraph s = c.subgraph;
        Random random = new Random(5);
        Map<Value, double[]> values = new HashMap<>();
        s.inputs().forEach(v -> values.put(v, random.doubles(v.shape().elements(), -1, 1).map(v.dtype()::round).toArray()));
        CudnnCalls calls = CudnnCalls.of(s, c.graph, c::layout);
        try (Arena arena = Arena.ofConfined()) {
            Map<Operand, GuardedMemory> memory = new HashMap<>();
            for (int i = 0; i < s.inputs().size(); i++) {
                Value v = s.inputs().get(i);
                long bytes = c.layout(v).bytes(v.type());
                GuardedMemory m = allocate(memory, new Operand.Input(i), bytes, calls.inputs().get(i), c.graph.inputs().get(i), arena);
                m.inner().fill((byte) 0);
                m.write(v.type(), c.layout(v), values.get(v));
            }
            for (int i = 0; i < s.outputs().size(); i++) {
                Value v = s.outputs().get(i);
                allocate(memory, new Operand.Output(i), c.layout(v).bytes(v.type()), calls.outputs().get(i), c.graph.outputs().get(i),
                        arena);
            }
            calls.before().forEach(k -> shim.run(k, o -> memory.get(o).address(), Shim.Order.SHUFFLED, 1));
            List<double[]> inputs = new ArrayList<>();
            for (int i = 0; i < s.inputs().size(); i++) {
                inputs.add(memory.get(calls.inputs().get(i)).read(flat(c.graph.inputs().get(i)), Layout.DENSE));
            }
            List<double[]> outputs = CudnnInterpreter.run(c.graph, inputs);
            for (int i = 0; i < s.outputs().size(); i++) {
                memory.get(calls.outputs().get(i)).write(flat(c.graph.outputs().get(i)), Layout.DENSE, outputs.get(i));
            }
            calls.after().forEach(k -> shim.run(k, o -> memory.get(o).address(), Shim.Order.SHUFFLED, 1));
            assertThat(memory.values()).as("nothing is written beside the operands").allMatch(GuardedMemory::guardsHold);
            compare(c, values, memory);
        }
    }

    /** Memory of an operand, and of what the graph takes in its place. */
    private static GuardedMemory allocate(Map<Operand, GuardedMemory> memory, Operand own, long bytes, Operand graphs, Tensor t,
                                          Arena arena) {
        GuardedMemory m = new GuardedMemory(arena, bytes);
        memory.put(own, m);
        memory.computeIfAbsent(graphs, _ -> new GuardedMemory(arena, t.elements() * t.type().bytes()));
        return m;
    }

    private static void compare(Case c, Map<Value, double[]> values, Map<Operand, GuardedMemory> memory) {
        Subgraph s = c.subgraph;
        Tolerance tolerance = Tolerance.of(s.inputs().getFirst().dtype());
        Map<Value, double[]> magnitudes = Magnitudes.of(s.nodes(), Map.copyOf(values), tolerance);
        GraphOracle.run(s.nodes(), values, GraphOracle.Precision.EXACT);
        for (int i = 0; i < s.outputs().size(); i++) {
            Value v = s.outputs().get(i);
            double[] result = memory.get(new Operand.Output(i)).read(v.type(), c.layout(v));
            assertThat(Tolerance.error(result, values.get(v), magnitudes.get(v))).as(v.toString())
                    .isLessThanOrEqualTo(tolerance.share());
        }
    }
}
