package io.firn.models;

import static io.firn.graph.Activation.Kind.RELU;

import io.firn.graph.Normalization;
import io.firn.graph.Value;
import java.util.ArrayList;
import java.util.List;

/**
 * Residual nets (He et al. 2015, arXiv 1512.03385), their wide (arXiv 1605.07146) and grouped (ResNeXt, arXiv
 * 1611.05431) variants, and the plain nets that they were held against: one row each.
 *
 * @param repeats    blocks of each stage
 * @param groups     of the bottleneck's middle convolution
 * @param groupWidth channels of each group where the stage has 64
 */
record ResNet(String name, Stem stem, Block block, Shortcuts shortcuts, List<Integer> repeats, int groups,
              int groupWidth, Preset preset) implements Architecture {

    /** The layers before the first stage, and how large images are. */
    enum Stem {
        /** 7x7 of stride 2 and a max pool of stride 2, for 1000 classes at 224 pixels. */
        IMAGENET(64, 4, 1000),
        /** 3x3, for 10 classes at 32 pixels. */
        CIFAR(16, 1, 10);

        private final int channels;
        private final int stride;
        private final int classes;

        Stem(int channels, int stride, int classes) {
            this.channels = channels;
            this.stride = stride;
            this.classes = classes;
        }
    }

    enum Block {
        /** Two 3x3 convolutions. */
        BASIC(1),
        /** 1x1, 3x3 and 1x1 with four times the channels; the stride is the 3x3's ("v1.5"), as in torchvision. */
        BOTTLENECK(4);

        private final int expansion;

        Block(int expansion) {
            this.expansion = expansion;
        }
    }

    /** What goes around a block. Where size and channels stay, all but NONE are the identity. */
    enum Shortcuts {
        /** Option B: a 1x1 convolution with batch norm. */
        PROJECTION,
        /** Option A: every second pixel and channels of zeros, without parameters. */
        PADDING,
        /** A plain net. */
        NONE
    }

    static final List<ResNet> TABLE = table();

    private static List<ResNet> table() {
        List<ResNet> rows = new ArrayList<>(List.of(
                basic("resnet18", Shortcuts.PROJECTION, 2, 2, 2, 2),
                basic("resnet34", Shortcuts.PROJECTION, 3, 4, 6, 3),
                bottleneck("resnet50", 1, 64, 256, 3, 4, 6, 3),
                bottleneck("resnet101", 1, 64, 256, 3, 4, 23, 3),
                bottleneck("resnet152", 1, 64, 256, 3, 8, 36, 3),
                bottleneck("wide_resnet50_2", 1, 128, 256, 3, 4, 6, 3),
                bottleneck("wide_resnet101_2", 1, 128, 256, 3, 4, 23, 3),
                bottleneck("resnext50_32x4d", 32, 4, 256, 3, 4, 6, 3),
                bottleneck("resnext101_32x8d", 32, 8, 256, 3, 4, 23, 3),
                bottleneck("resnext101_64x4d", 64, 4, 232, 3, 4, 23, 3),
                basic("plain18", Shortcuts.NONE, 2, 2, 2, 2),
                basic("plain34", Shortcuts.NONE, 3, 4, 6, 3)));
        for (int n : List.of(3, 5, 7, 9, 18)) {
            rows.add(cifar("resnet", Shortcuts.PADDING, n));
        }
        for (int n : List.of(3, 5, 7, 9, 18)) {
            rows.add(cifar("plain", Shortcuts.NONE, n));
        }
        return List.copyOf(rows);
    }

    private static ResNet basic(String name, Shortcuts shortcuts, Integer... repeats) {
        return new ResNet(name, Stem.IMAGENET, Block.BASIC, shortcuts, List.of(repeats), 1, 64,
                Preset.imageNet(256, 224));
    }

    private static ResNet bottleneck(String name, int groups, int groupWidth, int resize, Integer... repeats) {
        return new ResNet(name, Stem.IMAGENET, Block.BOTTLENECK, Shortcuts.PROJECTION, List.of(repeats), groups,
                groupWidth, Preset.imageNet(resize, 224));
    }

    /** Three stages of n blocks: 6n + 2 layers. */
    private static ResNet cifar(String family, Shortcuts shortcuts, int n) {
        return new ResNet(family + (6 * n + 2), Stem.CIFAR, Block.BASIC, shortcuts, List.of(n, n, n), 1, 64,
                Preset.imageNet(32, 32));
    }

    @Override
    public int classes() {
        return stem.classes;
    }

    @Override
    public int baseResolution() {
        return preset.crop();
    }

    @Override
    public int stride() {
        return stem.stride << repeats.size() - 1;
    }

    @Override
    public double dropout() {
        return 0;
    }

    @Override
    public double dropPath() {
        return 0;
    }

    @Override
    public double width() {
        return 1;
    }

    @Override
    public double depth() {
        return 1;
    }

    @Override
    public boolean hasShortcuts() {
        return shortcuts != Shortcuts.NONE;
    }

    @Override
    public Model build(ModelOptions o) {
        Layers layers = new Layers(o, new Normalization.BatchNorm(1e-5, 0.1));
        double width = o.width().orElseThrow();
        List<Integer> counts = repeats.stream().map(n -> Scaling.repeats(n, o.depth().orElseThrow())).toList();
        int total = counts.stream().mapToInt(Integer::intValue).sum();
        Value x = stem(layers, Scaling.channels(stem.channels, width));
        int stride = stem.stride;
        int index = 0;
        for (int stage = 0; stage < counts.size(); stage++) {
            int planes = Scaling.channels(stem.channels << stage, width);
            int first = stage == 0 ? 1 : 2;
            stride *= first;
            for (int i = 0; i < counts.get(stage); i++) {
                String name = "layer" + (stage + 1) + "." + i;
                x = residual(layers, name, x, planes, i == 0 ? first : 1, index++, total);
                layers.endBlock(name, stride, x);
            }
        }
        layers.classifier(x, total, "dropout", "fc");
        return new Model(name, o, layers.build(), layers.taps(), layers.blocks(),
                preset.fit(o.resolution(), o.channels()),
                stem == Stem.CIFAR ? Initialization.CIFAR : Initialization.RESNET);
    }

    private Value stem(Layers layers, int channels) {
        boolean large = stem == Stem.IMAGENET;
        Value x = layers.conv("conv1", layers.image(), channels, large ? 7 : 3, large ? 2 : 1, 1);
        x = layers.activate("relu", RELU, layers.batchNorm("bn1", x));
        return large ? layers.maxPool("maxpool", x) : x;
    }

    /** One block. Its only ReLU module is used more than once, which torchvision's feature extraction numbers. */
    private Value residual(Layers layers, String name, Value x, int planes, int stride, int index, int count) {
        int out = planes * block.expansion;
        Value y = switch (block) {
            case BASIC -> basicBranch(layers, name, x, planes, stride);
            case BOTTLENECK -> bottleneckBranch(layers, name, x, planes, stride);
        };
        String relu = name + ".relu_" + (block == Block.BASIC ? 1 : 2);
        if (shortcuts == Shortcuts.NONE) {
            return layers.activate(relu, RELU, y);
        }
        Value around = stride == 1 && x.shape().c() == out ? x : shortcut(layers, name + ".downsample", x, out, stride);
        y = layers.dropPath(name + ".stochastic_depth", y, index, count);
        return layers.activate(relu, RELU, layers.add(name + ".add", y, around));
    }

    private static Value basicBranch(Layers layers, String name, Value x, int planes, int stride) {
        Value y = layers.batchNorm(name + ".bn1", layers.conv(name + ".conv1", x, planes, 3, stride, 1));
        y = layers.activate(name + ".relu", RELU, y);
        return layers.batchNorm(name + ".bn2", layers.conv(name + ".conv2", y, planes, 3, 1, 1));
    }

    private Value bottleneckBranch(Layers layers, String name, Value x, int planes, int stride) {
        int inner = Math.max(1, planes * groupWidth / 64) * groups;
        Value y = layers.batchNorm(name + ".bn1", layers.conv(name + ".conv1", x, inner, 1, 1, 1));
        y = layers.activate(name + ".relu", RELU, y);
        y = layers.batchNorm(name + ".bn2", layers.conv(name + ".conv2", y, inner, 3, stride, groups));
        y = layers.activate(name + ".relu_1", RELU, y);
        return layers.batchNorm(name + ".bn3", layers.conv(name + ".conv3", y, planes * block.expansion, 1, 1, 1));
    }

    private Value shortcut(Layers layers, String name, Value x, int channels, int stride) {
        return switch (shortcuts) {
            case PROJECTION -> layers.batchNorm(name + ".1", layers.conv(name + ".0", x, channels, 1, stride, 1));
            case PADDING -> layers.pad(name, x, stride, channels);
            case NONE -> throw new IllegalStateException("a plain net has no shortcut");
        };
    }
}
