package io.firn.plan;

import io.firn.graph.Activation;
import io.firn.graph.Convolution;
import io.firn.graph.Counter;
import io.firn.graph.Drop;
import io.firn.graph.Elementwise;
import io.firn.graph.Gate;
import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Linear;
import io.firn.graph.Normalization;
import io.firn.graph.Op;
import io.firn.graph.Pooling;
import io.firn.graph.Shape;
import io.firn.graph.Shortcut;
import io.firn.graph.State;
import io.firn.graph.Type;
import io.firn.graph.Value;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;

/** Small random networks of the models' ops, wired as no model is: any value may be read again later. */
final class RandomNet {
    private final GraphBuilder b = new GraphBuilder();
    private final Random random;
    private final List<Value> values = new ArrayList<>();
    private final Set<Value> read = new HashSet<>();
    private int next;

    private RandomNet(long seed) {
        random = new Random(seed);
    }

    /** The same net for the same seed: input {@code image}, output {@code logits}. */
    static Graph build(long seed) {
        RandomNet net = new RandomNet(seed);
        Value image = net.b.input("image", Type.f32(2 + net.random.nextInt(3), 3, 7, 7));
        net.values.add(net.conv(image));
        int ops = 6 + net.random.nextInt(16);
        for (int i = 0; i < ops; i++) {
            net.values.add(net.grow());
        }
        return net.finish();
    }

    private Value grow() {
        Value x = pick();
        return switch (random.nextInt(12)) {
            case 0, 1 -> conv(x);
            case 2, 3, 4 -> norm(x);
            case 5, 6 -> add("act", new Activation.Forward(Activation.Kind.values()[random.nextInt(3)]), x);
            case 7, 8 -> sum(x);
            case 9 -> excite(x);
            case 10 -> random.nextBoolean() || x.shape().h() < 3
                    ? add("short", new Shortcut.Pad(1 + random.nextInt(2), x.shape().c() + 2), x)
                    : add("pool", new Pooling.Max(3, 1 + random.nextInt(2), 1), x);
            default -> add("path", new Drop.DropPath(0.3, next), x, b.inputOnce("counter", Counter.TYPE));
        };
    }

    /** Mostly the latest value, since nets are deep rather than wide. */
    private Value pick() {
        return random.nextInt(3) > 0 ? values.getLast() : values.get(random.nextInt(values.size()));
    }

    private Value conv(Value x) {
        boolean depthwise = random.nextInt(3) == 0;
        int groups = depthwise ? x.shape().c() : 1;
        int filters = depthwise ? groups : 3 + random.nextInt(4);
        int kernel = random.nextBoolean() && x.shape().h() > 2 ? 3 : 1;
        Value w = b.parameter("m" + next + ".weight", filters, x.shape().c() / groups, kernel, kernel);
        return add("", new Convolution.Forward(1 + random.nextInt(8) / 7, kernel / 2, groups), x, w);
    }

    private Value norm(Value x) {
        Type v = Type.f32(x.shape().c());
        String name = "m" + next;
        Value[] in = {x, b.parameter(name + ".weight", x.shape().c()), b.parameter(name + ".bias", x.shape().c()),
            b.state(State.Kind.STATISTIC, name + ".running_mean", v),
            b.state(State.Kind.STATISTIC, name + ".running_var", v)};
        read.add(x);
        next++;
        List<Value> out = b.addAll(name, new Normalization.BatchNorm(1e-3, 0.1), in);
        b.update(name + ".running_mean", out.get(3));
        b.update(name + ".running_var", out.get(4));
        return out.getFirst();
    }

    private Value sum(Value x) {
        List<Value> alike = values.stream().filter(v -> v.shape().equals(x.shape())).toList();
        return add("sum", new Elementwise.Add(), x, alike.get(random.nextInt(alike.size())));
    }

    private Value excite(Value x) {
        Value narrow = linear(add("mean", new Pooling.GlobalAverage(), x), 2);
        Value wide = linear(add("squeezed", new Activation.Forward(Activation.Kind.SILU), narrow), x.shape().c());
        return add("gate", new Gate.Scale(), x, add("factor", new Activation.Forward(Activation.Kind.SIGMOID), wide));
    }

    private Value linear(Value x, int outputs) {
        Value w = b.parameter("m" + next + ".weight", outputs, x.shape().c());
        return add("", new Linear.Forward(), x, w, b.parameter("m" + next + ".bias", outputs));
    }

    private Value add(String suffix, Op op, Value... in) {
        read.addAll(List.of(in));
        return b.add("m" + next++ + suffix, op, in);
    }

    /** Classifies by all values that nothing reads, so that every parameter reaches the loss. */
    private Graph finish() {
        Value logits = null;
        for (Value v : values.stream().filter(v -> !read.contains(v)).toList()) {
            Value mean = add("mean", new Pooling.GlobalAverage(), v);
            if (random.nextBoolean()) {
                mean = add("drop", new Drop.Dropout(0.25, next), mean, b.inputOnce("counter", Counter.TYPE));
            }
            Value part = linear(mean, 4);
            logits = logits == null ? part : add("sum", new Elementwise.Add(), logits, part);
        }
        b.output("logits", logits);
        return b.build();
    }

    /** Each parameter with the given probability. */
    static Set<String> freeze(Graph g, Random random, double probability) {
        Set<String> frozen = new HashSet<>();
        for (State s : g.states(State.Kind.PARAMETER)) {
            if (random.nextDouble() < probability) {
                frozen.add(s.name());
            }
        }
        return frozen;
    }

    /** Elements that keep a net's activations of order 1, by the state's name. */
    static double[] state(State s, Random random) {
        Shape shape = s.value().shape();
        double deviation = shape.rank() > 1 ? Math.sqrt(2.0 * shape.dim(0) / shape.elements()) : 0.2;
        boolean aroundOne = s.name().endsWith("running_var") || shape.rank() == 1 && s.name().endsWith(".weight");
        double[] data = new double[(int) shape.elements()];
        for (int i = 0; i < data.length; i++) {
            double z = deviation * random.nextGaussian();
            data[i] = aroundOne ? 1 + Math.clamp(z, -0.6, 0.6) : z;
        }
        return data;
    }
}
