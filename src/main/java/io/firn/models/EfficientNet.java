package io.firn.models;

import static io.firn.graph.Activation.Kind.SILU;

import io.firn.graph.Normalization;
import io.firn.graph.Value;
import java.util.ArrayList;
import java.util.List;

/**
 * EfficientNet (Tan and Le 2019, arXiv 1905.11946), which is seven stages and two multipliers a variant, and
 * EfficientNetV2 (2021, arXiv 2104.00298), which has stages of its own for each size: one row each.
 *
 * @param stages         at width 1 and depth 1
 * @param head           channels of the last 1x1 convolution at width 1; 0 = four times those of the last stage
 * @param baseResolution pixels at compound coefficient 0
 */
record EfficientNet(String name, List<Stage> stages, int head, double width, double depth, double dropout,
                    Normalization.BatchNorm norm, int baseResolution, Preset preset) implements Architecture {

    /**
     * Blocks of one size.
     *
     * @param fused  whether expansion and depthwise convolution are one dense convolution, without a gate
     * @param expand factor of the channels inside the block
     * @param stride of the first block
     * @param layers number of blocks
     */
    record Stage(boolean fused, int expand, int kernel, int stride, int in, int out, int layers) {
    }

    private static final int STEM_STRIDE = 2;

    private static final List<Stage> V1 = List.of(
            gated(1, 3, 1, 32, 16, 1), gated(6, 3, 2, 16, 24, 2), gated(6, 5, 2, 24, 40, 2), gated(6, 3, 2, 40, 80, 3),
            gated(6, 5, 1, 80, 112, 3), gated(6, 5, 2, 112, 192, 4), gated(6, 3, 1, 192, 320, 1));

    static final List<EfficientNet> TABLE = List.of(
            v1("b0", 1.0, 1.0, 0.2, 256, 224),
            v1("b1", 1.0, 1.1, 0.2, 256, 240),
            v1("b2", 1.1, 1.2, 0.3, 288, 288),
            v1("b3", 1.2, 1.4, 0.3, 320, 300),
            v1("b4", 1.4, 1.8, 0.4, 384, 380),
            v1("b5", 1.6, 2.2, 0.4, 456, 456),
            v1("b6", 1.8, 2.6, 0.5, 528, 528),
            v1("b7", 2.0, 3.1, 0.5, 600, 600),
            v2("s", 0.2, Preset.imageNet(384, 384),
                    fused(1, 3, 1, 24, 24, 2), fused(4, 3, 2, 24, 48, 4), fused(4, 3, 2, 48, 64, 4),
                    gated(4, 3, 2, 64, 128, 6), gated(6, 3, 1, 128, 160, 9), gated(6, 3, 2, 160, 256, 15)),
            v2("m", 0.3, Preset.imageNet(480, 480),
                    fused(1, 3, 1, 24, 24, 3), fused(4, 3, 2, 24, 48, 5), fused(4, 3, 2, 48, 80, 5),
                    gated(4, 3, 2, 80, 160, 7), gated(6, 3, 1, 160, 176, 14), gated(6, 3, 2, 176, 304, 18),
                    gated(6, 3, 1, 304, 512, 5)),
            v2("l", 0.4, new Preset(480, 480, List.of(0.5, 0.5, 0.5), List.of(0.5, 0.5, 0.5)),
                    fused(1, 3, 1, 32, 32, 4), fused(4, 3, 2, 32, 64, 7), fused(4, 3, 2, 64, 96, 7),
                    gated(4, 3, 2, 96, 192, 10), gated(6, 3, 1, 192, 224, 19), gated(6, 3, 2, 224, 384, 25),
                    gated(6, 3, 1, 384, 640, 7)));

    private static Stage gated(int expand, int kernel, int stride, int in, int out, int layers) {
        return new Stage(false, expand, kernel, stride, in, out, layers);
    }

    private static Stage fused(int expand, int kernel, int stride, int in, int out, int layers) {
        return new Stage(true, expand, kernel, stride, in, out, layers);
    }

    /** B5 to B7 have TensorFlow's constants of batch norm, B0 to B4 PyTorch's, as the weights that torchvision ported. */
    private static EfficientNet v1(String variant, double width, double depth, double dropout, int resize, int crop) {
        var norm = variant.compareTo("b5") < 0 ? new Normalization.BatchNorm(1e-5, 0.1)
                : new Normalization.BatchNorm(1e-3, 0.01);
        return new EfficientNet("efficientnet_" + variant, V1, 0, width, depth, dropout, norm, 224,
                Preset.imageNet(resize, crop));
    }

    private static EfficientNet v2(String size, double dropout, Preset preset, Stage... stages) {
        return new EfficientNet("efficientnet_v2_" + size, List.of(stages), 1280, 1, 1, dropout,
                new Normalization.BatchNorm(1e-3, 0.1), preset.crop(), preset);
    }

    @Override
    public int stride() {
        return stages.stream().mapToInt(Stage::stride).reduce(STEM_STRIDE, (a, b) -> a * b);
    }

    /** One block: where it is and what it does. */
    private record Block(String name, Stage stage, int out, int stride, int index, int count) {
    }

    @Override
    public int classes() {
        return 1000;
    }

    @Override
    public double dropPath() {
        return 0.2;
    }

    @Override
    public boolean hasShortcuts() {
        return true;
    }

    @Override
    public Model build(ModelOptions o) {
        Layers layers = new Layers(o, norm);
        double width = o.width().orElseThrow();
        int stem = Scaling.channels(stages.getFirst().in(), width);
        Value x = convNormAct(layers, "features.0", layers.image(), stem, 3, STEM_STRIDE, 1);
        List<Block> blocks = blocks(width, o.depth().orElseThrow());
        int stride = STEM_STRIDE;
        for (Block b : blocks) {
            stride *= b.stride();
            x = block(layers, b, x);
            layers.endBlock(b.name(), stride, x);
        }
        // Stride 2 is the stem's own and too fine to be of use as a feature map.
        layers.taps().remove(2);
        int last = head == 0 ? 4 * x.shape().c() : Scaling.channels(head, width);
        x = convNormAct(layers, "features." + (stages.size() + 1), x, last, 1, 1, 1);
        layers.classifier(x, blocks.size(), "classifier.0", "classifier.1");
        return new Model(name, o, layers.build(), layers.taps(), layers.blocks(),
                preset.fit(o.resolution(), o.channels()), Initialization.EFFICIENTNET);
    }

    private List<Block> blocks(double width, double depth) {
        List<Block> blocks = new ArrayList<>();
        int count = stages.stream().mapToInt(s -> Scaling.repeats(s.layers(), depth)).sum();
        for (int s = 0; s < stages.size(); s++) {
            Stage stage = stages.get(s);
            for (int i = 0; i < Scaling.repeats(stage.layers(), depth); i++) {
                blocks.add(new Block("features." + (s + 1) + "." + i, stage, Scaling.channels(stage.out(), width),
                        i == 0 ? stage.stride() : 1, blocks.size(), count));
            }
        }
        return blocks;
    }

    private static Value block(Layers layers, Block b, Value x) {
        Value y = b.stage().fused() ? fusedBranch(layers, b, x) : gatedBranch(layers, b, x);
        if (b.stride() != 1 || x.shape().c() != b.out()) {
            return y;
        }
        y = layers.dropPath(b.name() + ".stochastic_depth", y, b.index(), b.count());
        return layers.add(b.name() + ".add", y, x);
    }

    /** MBConv: expand 1x1, depthwise, squeeze-and-excitation, project 1x1; the modules are numbered without gaps. */
    private static Value gatedBranch(Layers layers, Block b, Value x) {
        String part = b.name() + ".block.";
        int kernel = b.stage().kernel();
        int inner = x.shape().c() * b.stage().expand();
        int i = 0;
        Value y = x;
        if (b.stage().expand() != 1) {
            y = convNormAct(layers, part + i++, y, inner, 1, 1, 1);
        }
        y = convNormAct(layers, part + i++, y, inner, kernel, b.stride(), inner);
        y = layers.squeezeExcite(part + i++, y, Math.max(1, x.shape().c() / 4));
        return convNorm(layers, part + i, y, b.out(), 1, 1, 1);
    }

    /** Fused MBConv: expand KxK, project 1x1; without expansion a single convolution, which keeps its activation. */
    private static Value fusedBranch(Layers layers, Block b, Value x) {
        String part = b.name() + ".block.";
        int kernel = b.stage().kernel();
        if (b.stage().expand() == 1) {
            return convNormAct(layers, part + 0, x, b.out(), kernel, b.stride(), 1);
        }
        Value y = convNormAct(layers, part + 0, x, x.shape().c() * b.stage().expand(), kernel, b.stride(), 1);
        return convNorm(layers, part + 1, y, b.out(), 1, 1, 1);
    }

    private static Value convNormAct(Layers layers, String name, Value x, int out, int kernel, int stride, int groups) {
        return layers.activate(name + ".2", SILU, convNorm(layers, name, x, out, kernel, stride, groups));
    }

    private static Value convNorm(Layers layers, String name, Value x, int out, int kernel, int stride, int groups) {
        return layers.batchNorm(name + ".1", layers.conv(name + ".0", x, out, kernel, stride, groups));
    }
}
