package io.firn.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.graph.Activation;
import io.firn.graph.Conversion;
import io.firn.graph.Convolution;
import io.firn.graph.DType;
import io.firn.graph.Elementwise;
import io.firn.graph.Node;
import io.firn.graph.Op;
import io.firn.graph.Phase;
import io.firn.graph.Shape;
import io.firn.graph.Type;
import io.firn.graph.Value;
import io.firn.oracle.GraphOracle;
import io.firn.oracle.Magnitudes;
import io.firn.oracle.Tolerance;
import io.firn.plan.Layout;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Winograd convolutions held to the oracle's direct ones, in every direction, type and layout. */
class WinogradTest {

    @ParameterizedTest
    @CsvSource({"4,16,32,8,8", "6,32,16,7,7", "6,16,48,5,9", "16,64,64,4,5", "5,32,128,13,13", "8,256,64,7,7", "40,64,80,7,8"})
    void equalsTheDirectConvolution(int n, int in, int out, int h, int w) {
        for (DType type : List.of(DType.F32, DType.BF16)) {
            for (Layout layout : List.of(Layout.NHWC, Layout.BLOCKED16)) {
                for (Product.Direction direction : Product.Direction.values()) {
                    check(direction, Shape.of(n, in, h, w), Shape.of(n, out, h, w), type, layout, n, out);
                }
            }
        }
    }

    @Test
    void addsTheWeightGradientsOfChunksUp() {
        for (DType type : List.of(DType.F32, DType.BF16)) {
            for (Product.Direction direction : Product.Direction.values()) {
                check(direction, Shape.of(6, 16, 9, 9), Shape.of(6, 32, 9, 9), type, Layout.BLOCKED16, 2, 32);
            }
        }
    }

    @Test
    void computesTheWeightGradientOfSomeOutputsAfterTheOther() {
        for (DType type : List.of(DType.F32, DType.BF16)) {
            for (Layout layout : List.of(Layout.NHWC, Layout.BLOCKED16)) {
                check(Product.Direction.WGRAD, Shape.of(32, 16, 9, 8), Shape.of(32, 96, 9, 8), type, layout, 32, 32);
            }
        }
    }

    @Test
    void dividesWhatIsTooLargeForTheCache() {
        Winograd late = wgrad(16, 512, 7);
        assertThat(List.of(late.images(), late.columns())).containsExactly(16, 64);
        Winograd early = wgrad(16, 64, 56);
        assertThat(List.of(early.images(), early.columns())).containsExactly(2, 64);
    }

    private static Winograd wgrad(int images, int channels, int extent) {
        Type x = Type.f32(images, channels, extent, extent);
        Convolution.Wgrad op = new Convolution.Wgrad(1, 1, 1, 3);
        Node n = new Node("wgrad", Phase.BACKWARD, op, List.of(new Value(0, "x", x), new Value(1, "dy", x)),
                List.of(new Value(2, "dw", op.infer(List.of(x, x)).getFirst())));
        return Product.of(List.of(n), Layout.BLOCKED16).flatMap(Winograd::of).orElseThrow();
    }

    /** As of a frozen convolution: what is folded into it comes in the same pass. */
    @ParameterizedTest
    @CsvSource({"false,false", "false,true", "true,false", "true,true"})
    void addsAndClipsOnTheWayOut(boolean residual, boolean relu) {
        for (Layout layout : List.of(Layout.NHWC, Layout.BLOCKED16)) {
            Random random = new Random(11);
            Value x = new Value(0, "x", Type.f32(6, 32, 7, 9));
            Value w = new Value(1, "w", Type.f32(64, 32, 3, 3));
            Value bias = new Value(2, "bias", Type.f32(64));
            Value other = new Value(3, "other", Type.f32(6, 64, 7, 9));
            List<Node> nodes = new ArrayList<>();
            Value y = add(nodes, 4, new Convolution.Forward(1, 1, 1), x, w, bias);
            y = residual ? add(nodes, 5, new Elementwise.Add(), other, y) : y;
            y = relu ? add(nodes, 6, new Activation.Forward(Activation.Kind.RELU), y) : y;
            Map<Value, double[]> operands = new HashMap<>();
            for (Value v : List.of(x, w, bias, other)) {
                operands.put(v, OpCase.random(v.type(), random));
            }
            Product product = Product.of(nodes, layout).orElseThrow();
            Winograd sizes = Winograd.of(product).orElseThrow();
            try (Arena arena = Arena.ofConfined(); CpuBackend backend = CpuBackend.open(2);
                    NativeArena scratch = new NativeArena(backend.winogradBytes(sizes))) {
                Map<Value, Guarded> in = new HashMap<>();
                operands.forEach((v, values) -> in.put(v, new Guarded(arena, v.type(),
                        v.equals(x) || v.equals(other) ? layout : Layout.DENSE, values)));
                Guarded to = new Guarded(arena, y.type(), layout);
                try (Executable kernel = backend.winograd(sizes, in.get(x).tensor, to.tensor, in.get(w).tensor,
                        WinogradTail.of(product, nodes, v -> in.get(v).tensor), scratch.address())) {
                    kernel.run();
                }
                in.values().forEach(Guarded::check);
                to.check();
                Map<Value, double[]> exact = new HashMap<>(operands);
                GraphOracle.run(nodes, exact, GraphOracle.Precision.EXACT);
                double error = Tolerance.error(to.read(), exact.get(y), Magnitudes.of(nodes, operands, Tolerance.FP32).get(y));
                assertThat(error).as(layout.label()).isLessThan(Tolerance.FP32.share());
            }
        }
    }

    private static Value add(List<Node> nodes, int id, Op op, Value... in) {
        Value y = new Value(id, "y" + id, op.infer(Stream.of(in).map(Value::type).toList()).getFirst());
        nodes.add(new Node(y.name(), Phase.FORWARD, op, List.of(in), List.of(y)));
        return y;
    }

    @Test
    void isForPlainThreeByThreesOnly() {
        assertThat(Winograd.of(product(3, 1, 1, 16, false))).isPresent();
        assertThat(Winograd.of(product(3, 2, 1, 16, false))).isEmpty();
        assertThat(Winograd.of(product(5, 1, 1, 16, false))).isEmpty();
        assertThat(Winograd.of(product(3, 1, 0, 16, false))).isEmpty();
        assertThat(Winograd.of(product(3, 1, 1, 24, false))).isEmpty();
        assertThat(Winograd.of(product(3, 1, 1, 16, true))).isEmpty();
    }

    private static Product product(int kernel, int stride, int padding, int channels, boolean bias) {
        Convolution.Forward op = new Convolution.Forward(stride, padding, 1);
        List<Type> in = List.of(Type.f32(4, channels, 9, 9), Type.f32(16, channels, kernel, kernel));
        Node n = new Node("conv", Phase.FORWARD, op, List.of(new Value(0, "x", in.get(0)), new Value(1, "w", in.get(1))),
                List.of(new Value(2, "y", op.infer(in).getFirst())));
        Product p = Product.of(List.of(n), Layout.BLOCKED16).orElseThrow();
        return new Product(p.direction(), p.x(), p.w(), p.y(), p.stride(), p.padding(), p.groups(), p.dtype(), p.xLayout(),
                p.yLayout(), bias, p.residual(), p.activation());
    }

    private static void check(Product.Direction direction, Shape x, Shape y, DType type, Layout layout, int images,
                              int columns) {
        Random random = new Random(7);
        Type w = Type.f32(y.c(), x.c(), 3, 3);
        Value source = new Value(0, "from", new Type(type, direction == Product.Direction.DGRAD ? y : x));
        Value master = new Value(1, "w", w);
        Value cast = new Value(2, "cast", new Type(type, w.shape()));
        Value dy = new Value(3, "dy", new Type(type, y));
        Node pack = new Node("pack", Phase.FORWARD, new Conversion.Cast(type), List.of(master), List.of(cast));
        Value result = switch (direction) {
            case FORWARD -> new Value(4, "y", new Type(type, y));
            case DGRAD -> new Value(4, "dx", new Type(type, x));
            case WGRAD -> new Value(4, "dw", w);
        };
        Node product = switch (direction) {
            case FORWARD -> new Node("n", Phase.FORWARD, new Convolution.Forward(1, 1, 1), List.of(source, cast), List.of(result));
            case DGRAD -> new Node("n", Phase.BACKWARD, new Convolution.Dgrad(1, 1, 1, x.h(), x.w()), List.of(source, cast),
                    List.of(result));
            case WGRAD -> new Node("n", Phase.BACKWARD, new Convolution.Wgrad(1, 1, 1, 3), List.of(source, dy),
                    List.of(result));
        };
        List<Node> nodes = direction == Product.Direction.WGRAD ? List.of(product) : List.of(pack, product);
        Map<Value, double[]> operands = new HashMap<>();
        for (Value v : List.of(source, master, dy)) {
            operands.put(v, OpCase.random(v.type(), random));
        }
        Optional<Winograd> possible = Product.of(List.of(product), layout).flatMap(Winograd::of);
        if (possible.isEmpty()) {
            // Too few values for bf16: see Winograd.
            assertThat(type).isEqualTo(DType.BF16);
            return;
        }
        Winograd sizes = possible.get();
        sizes = new Winograd(direction, sizes.from(), sizes.to(), type, layout, images,
                direction == Product.Direction.DGRAD ? x.c() : columns);
        try (Arena arena = Arena.ofConfined(); CpuBackend backend = CpuBackend.open(2)) {
            boolean wgrad = direction == Product.Direction.WGRAD;
            Guarded from = new Guarded(arena, source.type(), layout, operands.get(source));
            Guarded weights = wgrad ? new Guarded(arena, w, Layout.DENSE) : new Guarded(arena, w, Layout.DENSE, operands.get(master));
            Guarded to = wgrad ? new Guarded(arena, dy.type(), layout, operands.get(dy)) : new Guarded(arena, result.type(), layout);
            try (NativeArena scratch = new NativeArena(backend.winogradBytes(sizes));
                    Executable kernel = backend.winograd(sizes, from.tensor, to.tensor, weights.tensor, Optional.empty(),
                            scratch.address())) {
                kernel.run();
                kernel.run();
            }
            from.check();
            weights.check();
            to.check();
            Map<Value, double[]> exact = new HashMap<>(operands);
            GraphOracle.run(nodes, exact, GraphOracle.Precision.EXACT);
            Tolerance tolerance = type == DType.F32 ? Tolerance.FP32 : Tolerance.BF16;
            double[] magnitude = Magnitudes.of(nodes, operands, tolerance).get(result);
            double error = Tolerance.error((wgrad ? weights : to).read(), exact.get(result), magnitude);
            assertThat(error).as("%s %s -> %s %s %s", direction, x, y, type, layout.label()).isLessThan(tolerance.share());
        }
    }
}
