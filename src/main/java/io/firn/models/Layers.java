package io.firn.models;

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
import io.firn.graph.Pooling;
import io.firn.graph.Shortcut;
import io.firn.graph.State;
import io.firn.graph.Type;
import io.firn.graph.Value;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/**
 * The layers that both families are made of, each with its states, under the names that torchvision's modules have.
 * Forward order is also the order of torchvision's state dictionaries, so that states need no sorting.
 */
final class Layers {
    private final GraphBuilder graph = new GraphBuilder();
    private final SequencedMap<Integer, Value> taps = new LinkedHashMap<>();
    private final List<String> blocks = new ArrayList<>();
    private final ModelOptions options;
    private final Normalization.BatchNorm norm;

    /** Layers of one network whose batch norms are all alike. */
    Layers(ModelOptions resolved, Normalization.BatchNorm norm) {
        this.options = resolved;
        this.norm = norm;
    }

    Value image() {
        return graph.input("image", Type.f32(options.batch(), options.channels(), options.resolution(),
                options.resolution()));
    }

    /** A convolution without bias, padded so that stride 1 keeps the size. */
    Value conv(String name, Value x, int filters, int kernel, int stride, int groups) {
        Value w = graph.parameter(name + ".weight", filters, x.shape().c() / groups, kernel, kernel);
        return graph.add(name, new Convolution.Forward(stride, (kernel - 1) / 2, groups), x, w);
    }

    Value batchNorm(String name, Value x) {
        int c = x.shape().c();
        Value weight = graph.parameter(name + ".weight", c);
        Value bias = graph.parameter(name + ".bias", c);
        Value mean = graph.state(State.Kind.STATISTIC, name + ".running_mean", Type.f32(c));
        Value variance = graph.state(State.Kind.STATISTIC, name + ".running_var", Type.f32(c));
        List<Value> out = graph.addAll(name, norm, x, weight, bias, mean, variance);
        graph.update(mean.name(), out.get(3));
        graph.update(variance.name(), out.get(4));
        return out.getFirst();
    }

    Value activate(String name, Activation.Kind kind, Value x) {
        return graph.add(name, new Activation.Forward(kind), x);
    }

    Value maxPool(String name, Value x) {
        return graph.add(name, new Pooling.Max(3, 2, 1), x);
    }

    Value pad(String name, Value x, int stride, int channels) {
        return graph.add(name, new Shortcut.Pad(stride, channels), x);
    }

    Value add(String name, Value a, Value b) {
        return graph.add(name, new Elementwise.Add(), a, b);
    }

    /** Stochastic depth of block {@code index} of {@code count}: probability falls linearly to 0 at the first block. */
    Value dropPath(String name, Value x, int index, int count) {
        double p = options.dropPath().orElseThrow() * index / count;
        return p == 0 ? x : graph.add(name, new Drop.DropPath(p, index), x, counter());
    }

    /** Squeeze-and-excitation: (x [N,C,H,W]) → x · σ(W₂ · SiLU(W₁ · mean(x) + b₁) + b₂). */
    Value squeezeExcite(String name, Value x, int squeezed) {
        Value s = graph.add(name + ".avgpool", new Pooling.GlobalAverage(), x);
        s = linear(name + ".fc1", s, squeezed, 1, 1);
        s = activate(name + ".activation", Activation.Kind.SILU, s);
        s = linear(name + ".fc2", s, x.shape().c(), 1, 1);
        s = activate(name + ".scale_activation", Activation.Kind.SIGMOID, s);
        return graph.add(name + ".mul", new Gate.Scale(), x, s);
    }

    /** A product with bias; {@code kernel} holds the 1s that torchvision's weight has after [outputs, inputs]. */
    private Value linear(String name, Value x, int outputs, int... kernel) {
        int[] dims = new int[2 + kernel.length];
        Arrays.fill(dims, 1);
        dims[0] = outputs;
        dims[1] = x.shape().c();
        Value w = graph.parameter(name + ".weight", dims);
        Value b = graph.parameter(name + ".bias", outputs);
        return graph.add(name, new Linear.Forward(), x, w, b);
    }

    /** Global average, dropout where there is any, and the product that makes the logits. */
    void classifier(Value x, int blockCount, String dropout, String linear) {
        Value v = graph.add("avgpool", new Pooling.GlobalAverage(), x);
        double p = options.dropout().orElseThrow();
        if (p > 0) {
            // Numbered after every block, so that its random numbers are the same with and without stochastic depth.
            v = graph.add(dropout, new Drop.Dropout(p, blockCount), v, counter());
        }
        graph.output("logits", linear(linear, v, options.classes()));
    }

    private Value counter() {
        return graph.inputOnce("counter", Counter.TYPE);
    }

    /** Notes the end of a block, whose value is the last at this stride so far. */
    void endBlock(String name, int stride, Value out) {
        blocks.add(name);
        taps.put(stride, out);
    }

    SequencedMap<Integer, Value> taps() {
        return taps;
    }

    List<String> blocks() {
        return blocks;
    }

    Graph build() {
        return graph.build();
    }
}
