package io.firn.backend.cuda.cudnn;

import io.firn.graph.Activation;
import io.firn.graph.Activation.Kind;
import io.firn.graph.Convolution;
import io.firn.graph.DType;
import io.firn.graph.Elementwise;
import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Linear;
import io.firn.graph.Normalization;
import io.firn.graph.Shape;
import io.firn.graph.Type;
import io.firn.graph.Value;
import io.firn.plan.Precision;
import io.firn.plan.Subgraph;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/**
 * A group of ops that cuDNN computes in one call, at any size: small where it is interpreted, large where engines are
 * looked for.
 *
 * @param build adds the ops to a net of the given size; returns the results
 */
record Pattern(String name, Function<Net, List<Value>> build) {

    /** A builder with the shapes that the patterns are made of: x [n,c,hw,hw], c filters of c channels. */
    record Net(GraphBuilder b, DType type, int n, int c, int hw) {
        Value map(String name, int channels, int size) {
            return b.input(name, new Type(type, Shape.of(n, channels, size, size)));
        }

        Value map(String name) {
            return map(name, c, hw);
        }

        Value weight(int filters, int channels, int k) {
            return b.input("w", new Type(type, Shape.of(filters, channels, k, k)));
        }

        Value vector(String name) {
            return b.input(name, Type.f32(c));
        }

        Value forward(Value x, int k, int stride) {
            return b.add("y", new Convolution.Forward(stride, k / 2, 1), x, weight(c, x.shape().c(), k));
        }

        Value dgrad(int k, int stride) {
            return b.add("dx", new Convolution.Dgrad(stride, k / 2, 1, hw, hw), map("dy", c, (hw + stride - 1) / stride),
                    weight(c, c, k));
        }

        Value apply(Value x) {
            return b.add("bn", new Normalization.Apply(), x, vector("scale"), vector("shift"));
        }

        Value act(Kind kind, Value x) {
            return b.add("act", new Activation.Forward(kind), x);
        }

        List<Value> statistics(Value y) {
            List<Value> all = new ArrayList<>(List.of(y));
            all.addAll(b.addAll("statistics", new Normalization.Statistics(), y));
            return all;
        }

        /** The gradient of a batch norm with an activation, recomputed from x, and the batch norm's two sums. */
        List<Value> gradSums(Kind kind, Value dy) {
            Value x = map("x");
            Value bn = apply(x);
            Value d = b.add("dact", new Activation.Grad(kind), dy, kind.gradFromOutput() ? act(kind, bn) : bn);
            List<Value> all = new ArrayList<>(List.of(d));
            all.addAll(b.addAll("sums", new Normalization.GradSums(), d, x, vector("mean"), vector("invstd")));
            return all;
        }
    }

    /** In fp16 only. */
    static final String WGRAD_WITH_PROLOGUE = "apply + relu + wgrad";

    static final List<Pattern> ALL = List.of(
            new Pattern("forward 3x3", n -> List.of(n.forward(n.map("x"), 3, 1))),
            new Pattern("forward 1x1 stride 2", n -> List.of(n.forward(n.map("x"), 1, 2))),
            new Pattern("dgrad 3x3", n -> List.of(n.dgrad(3, 1))),
            new Pattern("dgrad 3x3 stride 2", n -> List.of(n.dgrad(3, 2))),
            new Pattern("wgrad 3x3", n -> List.of(n.b.add("dw", new Convolution.Wgrad(1, 1, 1, 3), n.map("x"), n.map("dy")))),
            new Pattern("wgrad 1x1 stride 2", n -> List.of(n.b.add("dw", new Convolution.Wgrad(2, 0, 1, 1), n.map("x"),
                    n.map("dy", n.c, n.hw / 2)))),
            new Pattern("forward grouped", n -> List.of(n.b.add("y", new Convolution.Forward(1, 1, 4), n.map("x"),
                    n.weight(n.c, n.c / 4, 3)))),
            new Pattern("wgrad grouped", n -> List.of(n.b.add("dw", new Convolution.Wgrad(1, 1, 4, 3), n.map("x"),
                    n.map("dy")))),
            new Pattern("stem + statistics", n -> n.statistics(n.b.add("y", new Convolution.Forward(2, 3, 1),
                    n.map("x", 3, n.hw), n.weight(n.c, 3, 7)))),
            new Pattern("stem wgrad", n -> List.of(n.b.add("dw", new Convolution.Wgrad(2, 3, 1, 7), n.map("x", 3, n.hw),
                    n.map("dy", n.c, n.hw / 2)))),
            new Pattern(WGRAD_WITH_PROLOGUE, n -> List.of(n.b.add("dw", new Convolution.Wgrad(1, 1, 1, 3),
                    n.act(Kind.RELU, n.apply(n.map("x"))), n.map("dy")))),
            new Pattern("forward grouped + statistics", n -> n.statistics(n.b.add("y", new Convolution.Forward(2, 1, 4),
                    n.map("x"), n.weight(n.c, n.c / 4, 3)))),
            new Pattern("dgrad grouped stride 2", n -> List.of(n.b.add("dx", new Convolution.Dgrad(2, 1, 4, n.hw, n.hw),
                    n.map("dy", n.c, n.hw / 2), n.weight(n.c, n.c / 4, 3)))),
            new Pattern("forward + statistics", n -> n.statistics(n.forward(n.map("x"), 3, 1))),
            new Pattern("apply + relu + forward", n -> List.of(n.forward(n.act(Kind.RELU, n.apply(n.map("x"))), 3, 1))),
            new Pattern("apply + relu + forward + statistics",
                    n -> n.statistics(n.forward(n.act(Kind.RELU, n.apply(n.map("x"))), 3, 1))),
            new Pattern("apply + silu + forward 1x1 + statistics",
                    n -> n.statistics(n.forward(n.act(Kind.SILU, n.apply(n.map("x"))), 1, 1))),
            new Pattern("forward + bias + silu", n -> List.of(n.act(Kind.SILU, n.b.add("y", new Convolution.Forward(1, 1, 1),
                    n.map("x"), n.weight(n.c, n.c, 3), n.vector("bias"))))),
            new Pattern("forward + bias + residual + relu", n -> List.of(n.act(Kind.RELU, n.b.add("sum",
                    new Elementwise.Add(), n.b.add("y", new Convolution.Forward(1, 0, 1), n.map("x"),
                            n.weight(n.c, n.c, 1), n.vector("bias")), n.map("shortcut"))))),
            new Pattern("dgrad + add", n -> List.of(n.b.add("sum", new Elementwise.Add(), n.dgrad(1, 1), n.map("other")))),
            new Pattern("dgrad + relu gradient", n -> List.of(n.b.add("d", new Activation.Grad(Kind.RELU), n.dgrad(3, 1),
                    n.map("saved")))),
            new Pattern("dgrad + bn + relu gradient + sums", n -> n.gradSums(Kind.RELU, n.dgrad(3, 1))),
            new Pattern("dgrad 1x1 + bn + silu gradient + sums", n -> n.gradSums(Kind.SILU, n.dgrad(1, 1))),
            new Pattern("dgrad + add + bn + relu gradient + sums", n -> n.gradSums(Kind.RELU,
                    n.b.add("sum", new Elementwise.Add(), n.dgrad(1, 1), n.map("other")))));

    /** Those that are not convolutions: all in f32, whatever the precision. */
    static final List<Pattern> MATRICES = List.of(
            new Pattern("linear", n -> List.of(n.b.add("y", new Linear.Forward(), n.b.input("x", Type.f32(n.n, n.c)),
                    n.b.input("w", Type.f32(n.hw, n.c)), n.b.input("bias", Type.f32(n.hw))))),
            new Pattern("linear dgrad", n -> List.of(n.b.add("dx", new Linear.Dgrad(),
                    n.b.input("dy", Type.f32(n.n, n.hw)), n.b.input("w", Type.f32(n.hw, n.c, 1, 1))))),
            new Pattern("linear wgrad", n -> List.of(n.b.add("dw", new Linear.Wgrad(Shape.of(n.hw, n.c)),
                    n.b.input("x", Type.f32(n.n, n.c)), n.b.input("dy", Type.f32(n.n, n.hw))))));

    Subgraph small(DType type) {
        return at(new Net(new GraphBuilder(), type, 2, 32, 6));
    }

    Subgraph large(DType type) {
        return at(new Net(new GraphBuilder(), type, 64, 64, 56));
    }

    private Subgraph at(Net net) {
        List<Value> results = build.apply(net);
        Graph g = net.b.build();
        return Subgraph.of(g.nodes(), results::contains);
    }

    CudnnGraph lowered(Precision p) {
        return Lowering.of(large(p.activation()), p).orElseThrow();
    }

    @Override
    public String toString() {
        return name;
    }
}
