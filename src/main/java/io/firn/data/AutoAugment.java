package io.firn.data;

import java.util.List;
import java.util.stream.Stream;

/**
 * Automatic augmentation with torchvision's definitions: RandAugment (two of fourteen operations at magnitude 9 of 0 to 30;
 * Cubuk et al. 2020, arXiv 1909.13719), TrivialAugment Wide (one, at any magnitude; Müller and Hutter 2021, arXiv
 * 2103.10158), and AutoAugment (a learnt pair of operations; Cubuk et al. 2019, arXiv 1805.09501). All on bytes, with
 * nearest neighbours and zeros where nothing is.
 */
final class AutoAugment {
    private static final int BINS = 31;
    private static final int RAND_OPS = 2;
    private static final int RAND_MAGNITUDE = 9;
    /** Magnitudes of AutoAugment's own operations. */
    private static final int POLICY_BINS = 10;
    /** What RandAugment and TrivialAugment draw from, in torchvision's order. */
    private static final List<Op> DRAWN = Stream.of(Op.values()).filter(op -> op != Op.INVERT).toList();

    private AutoAugment() {
    }

    /** An operation on an image. */
    enum Op {
        IDENTITY, SHEAR_X, SHEAR_Y, TRANSLATE_X, TRANSLATE_Y, ROTATE, BRIGHTNESS, COLOR, CONTRAST, SHARPNESS, POSTERIZE,
        SOLARIZE, AUTO_CONTRAST, EQUALIZE, INVERT;

        /** Whether a coin decides on the magnitude's sign. */
        boolean signed() {
            return ordinal() >= SHEAR_X.ordinal() && ordinal() <= SHARPNESS.ordinal();
        }

        /** The image changed by that much. */
        Image apply(Image image, double magnitude) {
            return switch (this) {
                case IDENTITY -> image;
                case SHEAR_X -> PillowOps.shearX(image, magnitude);
                case SHEAR_Y -> PillowOps.shearY(image, magnitude);
                case TRANSLATE_X -> PillowOps.translate(image, (int) magnitude, 0);
                case TRANSLATE_Y -> PillowOps.translate(image, 0, (int) magnitude);
                case ROTATE -> PillowOps.rotate(image, magnitude);
                case BRIGHTNESS -> PillowOps.brightness(image, 1 + magnitude);
                case COLOR -> PillowOps.colour(image, 1 + magnitude);
                case CONTRAST -> PillowOps.contrast(image, 1 + magnitude);
                case SHARPNESS -> PillowOps.sharpness(image, 1 + magnitude);
                case POSTERIZE -> PillowOps.posterize(image, (int) magnitude);
                case SOLARIZE -> PillowOps.solarize(image, magnitude);
                case AUTO_CONTRAST -> PillowOps.autoContrast(image);
                case EQUALIZE -> PillowOps.equalize(image);
                case INVERT -> PillowOps.invert(image);
            };
        }
    }

    /** How far operations go at most. */
    enum Space {
        /** RandAugment's and AutoAugment's. */
        NARROW,
        /** TrivialAugment Wide's. */
        WIDE;

        /** The magnitude in one of {@code bins} bins, for images of that size. */
        double magnitude(Op op, int bin, int bins, int height, int width) {
            boolean wide = this == WIDE;
            return switch (op) {
                case IDENTITY, AUTO_CONTRAST, EQUALIZE, INVERT -> 0;
                case SHEAR_X, SHEAR_Y -> upTo(wide ? 0.99 : 0.3, bin, bins);
                case TRANSLATE_X -> upTo(wide ? 32 : 150.0 / 331.0 * width, bin, bins);
                case TRANSLATE_Y -> upTo(wide ? 32 : 150.0 / 331.0 * height, bin, bins);
                case ROTATE -> upTo(wide ? 135 : 30, bin, bins);
                case BRIGHTNESS, COLOR, CONTRAST, SHARPNESS -> upTo(wide ? 0.99 : 0.9, bin, bins);
                case POSTERIZE -> 8 - Math.rint(bin / ((bins - 1) / (wide ? 6f : 4f)));
                case SOLARIZE -> upTo(255, bins - 1 - bin, bins);
            };
        }

        /** Evenly spaced from 0 in single precision, as {@code torch.linspace} has it: the upper half from its end. */
        private static double upTo(double most, int bin, int bins) {
            float step = (float) most / (bins - 1);
            return bin < bins / 2 ? step * bin : (float) most - step * (bins - 1 - bin);
        }
    }

    static Image rand(Image image, Draws draws) {
        Image varied = image;
        for (int i = 0; i < RAND_OPS; i++) {
            varied = drawn(varied, draws, Space.NARROW, RAND_MAGNITUDE);
        }
        return varied;
    }

    static Image trivial(Image image, Draws draws) {
        return drawn(image, draws, Space.WIDE, draws.below(BINS));
    }

    private static Image drawn(Image image, Draws draws, Space space, int bin) {
        Op op = DRAWN.get(draws.below(DRAWN.size()));
        double magnitude = space.magnitude(op, bin, BINS, image.height(), image.width());
        return op.apply(image, op.signed() && draws.coin() ? -magnitude : magnitude);
    }

    /** One operation of a learnt pair: applied with that probability, at one of ten magnitudes. */
    record Step(Op op, double probability, int bin) {
    }

    /** A learnt list of pairs of operations, of which each image gets one. */
    enum Policy {
        /** Learnt on reduced ImageNet. */
        IMAGENET("""
                Posterize .4 8 Rotate .6 9, Solarize .6 5 Auto_Contrast .6 0, Equalize .8 0 Equalize .6 0,
                Posterize .6 7 Posterize .6 6, Equalize .4 0 Solarize .2 4, Equalize .4 0 Rotate .8 8,
                Solarize .6 3 Equalize .6 0, Posterize .8 5 Equalize 1 0, Rotate .2 3 Solarize .6 8,
                Equalize .6 0 Posterize .4 6, Rotate .8 8 Color .4 0, Rotate .4 9 Equalize .6 0, Equalize 0 0 Equalize .8 0,
                Invert .6 0 Equalize 1 0, Color .6 4 Contrast 1 8, Rotate .8 8 Color 1 2, Color .8 8 Solarize .8 7,
                Sharpness .4 7 Invert .6 0, Shear_X .6 5 Equalize 1 0, Color .4 0 Equalize .6 0, Equalize .4 0 Solarize .2 4,
                Solarize .6 5 Auto_Contrast .6 0, Invert .6 0 Equalize 1 0, Color .6 4 Contrast 1 8,
                Equalize .8 0 Equalize .6 0"""),
        /** Learnt on reduced CIFAR-10. */
        CIFAR_10("""
                Invert .1 0 Contrast .2 6, Rotate .7 2 Translate_X .3 9, Sharpness .8 1 Sharpness .9 3,
                Shear_Y .5 8 Translate_Y .7 9, Auto_Contrast .5 0 Equalize .9 0, Shear_Y .2 7 Posterize .3 7,
                Color .4 3 Brightness .6 7, Sharpness .3 9 Brightness .7 9, Equalize .6 0 Equalize .5 0,
                Contrast .6 7 Sharpness .6 5, Color .7 7 Translate_X .5 8, Equalize .3 0 Auto_Contrast .4 0,
                Translate_Y .4 3 Sharpness .2 6, Brightness .9 6 Color .2 8, Solarize .5 2 Invert 0 0,
                Equalize .2 0 Auto_Contrast .6 0, Equalize .2 0 Equalize .6 0, Color .9 9 Equalize .6 0,
                Auto_Contrast .8 0 Solarize .2 8, Brightness .1 3 Color .7 0, Solarize .4 5 Auto_Contrast .9 0,
                Translate_Y .9 9 Translate_Y .7 9, Auto_Contrast .9 0 Solarize .8 3, Equalize .8 0 Invert .1 0,
                Translate_Y .7 9 Auto_Contrast .9 0""");

        private final List<List<Step>> pairs;

        Policy(String table) {
            pairs = Stream.of(table.split(",\\s+")).map(pair -> {
                String[] words = pair.split("\\s+");
                return List.of(step(words, 0), step(words, 3));
            }).toList();
        }

        private static Step step(String[] words, int from) {
            return new Step(Op.valueOf(words[from].toUpperCase()), Double.parseDouble(words[from + 1]),
                    Integer.parseInt(words[from + 2]));
        }

        List<List<Step>> pairs() {
            return pairs;
        }

        Image apply(Image image, Draws draws) {
            Image varied = image;
            for (Step s : pairs.get(draws.below(pairs.size()))) {
                boolean applied = draws.between(0, 1) < s.probability;
                boolean negative = draws.coin();
                if (applied) {
                    double m = Space.NARROW.magnitude(s.op, s.bin, POLICY_BINS, image.height(), image.width());
                    varied = s.op.apply(varied, s.op.signed() && negative ? -m : m);
                }
            }
            return varied;
        }
    }
}
