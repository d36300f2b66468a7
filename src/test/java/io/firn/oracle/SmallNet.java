package io.firn.oracle;

import io.firn.graph.Activation;
import io.firn.graph.Convolution;
import io.firn.graph.Counter;
import io.firn.graph.DType;
import io.firn.graph.Drop;
import io.firn.graph.Elementwise;
import io.firn.graph.Gate;
import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Linear;
import io.firn.graph.Loss;
import io.firn.graph.Normalization;
import io.firn.graph.Pooling;
import io.firn.graph.Shape;
import io.firn.graph.Shortcut;
import io.firn.graph.State;
import io.firn.graph.Type;
import io.firn.graph.Value;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;

/** Builds a net for tests module by module, with torchvision's kinds of parameters and a random value for each. */
final class SmallNet {
    private final GraphBuilder b = new GraphBuilder();
    private final Map<String, double[]> given = new TreeMap<>();
    private final Random random = new Random(23);
    private final Value image;

    SmallNet(int batch, int channels, int height, int width) {
        image = b.input("image", Type.f32(batch, channels, height, width));
        give(image, 0, 1);
    }

    Value image() {
        return image;
    }

    Value conv(String name, Value x, int filters, int kernel, int stride, int groups) {
        int inputs = x.shape().c() / groups;
        double deviation = 1 / Math.sqrt(inputs * kernel * kernel);
        Value w = parameter(name + ".weight", 0, deviation, filters, inputs, kernel, kernel);
        return b.add(name, new Convolution.Forward(stride, kernel / 2, groups), x, w);
    }

    Value norm(String name, Value x) {
        int c = x.shape().c();
        Value mean = b.state(State.Kind.STATISTIC, name + ".running_mean", Type.f32(c));
        Value var = b.state(State.Kind.STATISTIC, name + ".running_var", Type.f32(c));
        give(mean, 0, 1);
        give(var, 2, 0.1);
        return b.add(name, new Normalization.BatchNorm(1e-5, 0.1), x, parameter(name + ".weight", 1, 0.2, c),
                parameter(name + ".bias", 0, 0.2, c), mean, var);
    }

    Value relu(String name, Value x) {
        return activate(Activation.Kind.RELU, name, x);
    }

    Value activate(Activation.Kind kind, String name, Value x) {
        return b.add(name, new Activation.Forward(kind), x);
    }

    Value maxPool(String name, Value x, int kernel, int stride, int padding) {
        return b.add(name, new Pooling.Max(kernel, stride, padding), x);
    }

    Value add(String name, Value x, Value y) {
        return b.add(name, new Elementwise.Add(), x, y);
    }

    Value shortcut(String name, Value x, int stride, int channels) {
        return b.add(name, new Shortcut.Pad(stride, channels), x);
    }

    Value drop(String name, Drop drop, Value x) {
        Value counter = b.inputOnce("counter", Counter.TYPE);
        given.put("counter", new double[] {1, 2, 3, 0, 0, 0, 0, 0});
        return b.add(name, drop, x, counter);
    }

    Value linear(String name, Value x, int outputs) {
        int inputs = x.shape().c();
        Value w = parameter(name + ".weight", 0, 1 / Math.sqrt(inputs), outputs, inputs);
        return b.add(name, new Linear.Forward(), x, w, parameter(name + ".bias", 0, 0.5, outputs));
    }

    Value squeezeAndExcite(String name, Value x, int squeezed) {
        Value narrow = linear(name + ".fc1", b.add(name + ".avgpool", new Pooling.GlobalAverage(), x), squeezed);
        Value wide = linear(name + ".fc2", activate(Activation.Kind.SILU, name + ".act", narrow), x.shape().c());
        return b.add(name, new Gate.Scale(), x, activate(Activation.Kind.SIGMOID, name + ".scale", wide));
    }

    /** Ends the net with each channel's average, a classifier and the loss of random labels, the last one padding. */
    SmallNet classify(Value x, int classes, double smoothing) {
        Value logits = linear("fc", b.add("avgpool", new Pooling.GlobalAverage(), x), classes);
        Value labels = b.input("labels", new Type(DType.I32, Shape.of(x.shape().n())));
        double[] chosen = random.ints(x.shape().n(), 0, classes).asDoubleStream().toArray();
        chosen[chosen.length - 1] = -1;
        given.put("labels", chosen);
        b.output("loss", b.add("loss", new Loss.SoftmaxCrossEntropy(smoothing), logits, labels));
        return this;
    }

    Graph build() {
        return b.build();
    }

    /** Elements of every input and state. */
    Map<String, double[]> given() {
        return given;
    }

    private Value parameter(String name, double mean, double deviation, int... dims) {
        Value v = b.parameter(name, dims);
        give(v, mean, deviation);
        return v;
    }

    private void give(Value v, double mean, double deviation) {
        given.put(v.name(), random.doubles(v.shape().elements())
                .map(u -> mean + deviation * random.nextGaussian()).toArray());
    }
}
