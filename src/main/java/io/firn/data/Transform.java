package io.firn.data;

import io.firn.data.Resampler.Box;
import io.firn.error.UserError;
import java.util.Arrays;

/**
 * From a decoded image of any size to the bytes that a model takes in: colour conversion, resizing, cropping and
 * augmentation, with torchvision's meaning of each.
 *
 * <ul>
 * <li>{@code NONE}: the shorter side becomes {@code resize} (antialiased bilinear), then the centre is cut out.
 * <li>{@code FLIP}: the same, mirrored left to right half the time.
 * <li>{@code STANDARD}, for images whose shorter side has at most 64 pixels, and wherever {@code resize} is 0: as
 *     {@code NONE}, then zeros around it (an eighth of the resolution: 4 pixels at 28 and 32), a random crop, and FLIP's mirror.
 * <li>{@code STANDARD}, for all others: {@code RandomResizedCrop} with an area of 8 to 100 % and an aspect of 3/4 to
 *     4/3, straight from the source image, then FLIP's mirror.
 * <li>{@code TRIVIAL}, {@code RAND}, {@code AUTO}: as {@code STANDARD}, then {@link AutoAugment}.
 * </ul>
 * Last, {@link Erasing} blanks a rectangle out. What is drawn at random depends on seed, epoch, the image's index and how
 * often it came before in the epoch alone.
 *
 * @param height   of the result
 * @param width    of the result
 * @param channels of the result: 1 or 3; gray is repeated, colour becomes gray by ITU-R 601 as in Pillow
 * @param resize   what the shorter side becomes before the centre crop, at least the larger of height and width; 0
 *                 for no resizing: images must have the result's size already
 */
public record Transform(int height, int width, int channels, Augment augment, int resize, long seed, Erasing erasing) {
    private static final int SMALL = 64;
    private static final int ATTEMPTS = 10;

    public Transform {
        if (height < 1 || width < 1 || (channels != 1 && channels != 3)) {
            throw new IllegalArgumentException("%dx%d with %d channels".formatted(height, width, channels));
        }
        if (resize != 0 && resize < Math.max(height, width)) {
            throw UserError.usage("--resize %d is smaller than the resolution %d that is cut out of it: give at least %d, or --resize none",
                    resize, Math.max(height, width), Math.max(height, width));
        }
    }

    /** With nothing blanked out. */
    public Transform(int height, int width, int channels, Augment augment, int resize, long seed) {
        this(height, width, channels, augment, resize, seed, Erasing.NONE);
    }

    /** The image's first appearance in the epoch. */
    public byte[] apply(Image image, int epoch, int index, String file) {
        return apply(image, epoch, index, 0, file);
    }

    /**
     * The transformed image: {@code height * width * channels} bytes in rows, channels side by side.
     *
     * @param repeat how often it came before in the epoch
     * @param file   names the image in errors
     * @throws UserError where {@code resize} is 0 and the image has another size
     */
    public byte[] apply(Image image, int epoch, int index, int repeat, String file) {
        Image input = channels == 1 ? toGray(image) : image;
        Draws draws = new Draws(Draws.Purpose.AUGMENT, seed, epoch, index, repeat);
        Image output = switch (augment) {
            case NONE -> centre(input, file);
            case FLIP -> flipSometimes(centre(input, file), draws);
            case STANDARD -> standard(input, draws, file);
            case TRIVIAL -> AutoAugment.trivial(standard(input, draws, file), draws);
            case RAND -> AutoAugment.rand(standard(input, draws, file), draws);
            case AUTO -> (isSmall(input.original()) ? AutoAugment.Policy.CIFAR_10 : AutoAugment.Policy.IMAGENET)
                    .apply(standard(input, draws, file), draws);
        };
        byte[] pixels = output.channels() == channels ? output.pixels() : repeated(output.pixels());
        if (erasing.p() == 0) {
            return pixels;
        }
        // The array may be the data set's own.
        byte[] erased = pixels.clone();
        erasing.apply(erased, height, width, channels, draws);
        return erased;
    }

    private Image standard(Image input, Draws draws, String file) {
        return flipSometimes(isSmall(input.original()) ? shift(centre(input, file), draws) : randomResizedCrop(input, draws), draws);
    }

    /**
     * By how much an image may be decoded smaller: 1, 2, 4 or 8. What is left still has twice the pixels that are asked for,
     * each way, which keeps the result within 2 of 255 on average of that of all pixels. Parameters as for {@link #apply}.
     */
    public int reduction(Size size, int epoch, int index, int repeat) {
        if (resize == 0) {
            return 1;
        }
        double ratio = switch (augment) {
            case NONE, FLIP -> shorter(size) / (double) resize;
            case STANDARD, TRIVIAL, RAND, AUTO -> {
                if (isSmall(size)) {
                    yield shorter(size) / (double) resize;
                }
                Box box = cropBox(size.height(), size.width(),
                        new Draws(Draws.Purpose.AUGMENT, seed, epoch, index, repeat));
                yield Math.min(box.height() / (double) height, box.width() / (double) width);
            }
        };
        return reduction(ratio);
    }

    /** By how much an image may be decoded smaller that becomes smaller by {@code ratio}. */
    static int reduction(double ratio) {
        return ratio >= 16 ? 8 : ratio >= 8 ? 4 : ratio >= 4 ? 2 : 1;
    }

    /** The size whose shorter side is {@code pixels}; the other is truncated, not rounded, as in torchvision. */
    static Size shorterSide(Size size, int pixels) {
        return new Size((int) ((long) pixels * size.height() / shorter(size)), (int) ((long) pixels * size.width() / shorter(size)));
    }

    private boolean isSmall(Size size) {
        return resize == 0 || shorter(size) <= SMALL;
    }

    private static int shorter(Size size) {
        return Math.min(size.height(), size.width());
    }

    private Image centre(Image image, String file) {
        if (resize == 0) {
            if (image.height() != height || image.width() != width) {
                throw UserError.data("%s is %dx%d, but --resize none needs every image to be %dx%d: drop --resize none, or resize the images",
                        file, image.width(), image.height(), width, height);
            }
            return image;
        }
        Size size = shorterSide(image.original(), resize);
        return Resampler.resize(image, Box.of(image), size, Box.centre(size.height(), size.width(), height, width));
    }

    private Image randomResizedCrop(Image image, Draws draws) {
        Box box = cropBox(image.original().height(), image.original().width(), draws);
        return Resampler.resize(image, box, new Size(height, width), new Box(0, 0, height, width));
    }

    /** torchvision's {@code RandomResizedCrop.get_params}: ten attempts, then the largest centre crop of an allowed aspect. */
    static Box cropBox(int height, int width, Draws draws) {
        double least = 3.0 / 4;
        double most = 4.0 / 3;
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            double area = (double) height * width * draws.between(0.08, 1);
            double aspect = Math.exp(draws.between(Math.log(least), Math.log(most)));
            int w = (int) Math.rint(Math.sqrt(area * aspect));
            int h = (int) Math.rint(Math.sqrt(area / aspect));
            if (w > 0 && w <= width && h > 0 && h <= height) {
                return new Box(draws.below(height - h + 1), draws.below(width - w + 1), h, w);
            }
        }
        double aspect = (double) width / height;
        int w = aspect > most ? Math.max(1, (int) Math.rint(height * most)) : width;
        int h = aspect < least ? Math.max(1, (int) Math.rint(width / least)) : height;
        return new Box((height - h) / 2, (width - w) / 2, h, w);
    }

    /** A random window of the same size into the image with zeros around it. */
    private static Image shift(Image image, Draws draws) {
        int padY = Math.round(image.height() / 8f);
        int padX = Math.round(image.width() / 8f);
        int top = draws.below(2 * padY + 1) - padY;
        int left = draws.below(2 * padX + 1) - padX;
        int row = image.width() * image.channels();
        byte[] pixels = new byte[image.pixels().length];
        int from = Math.max(0, left) * image.channels();
        int to = Math.max(0, -left) * image.channels();
        for (int y = Math.max(0, -top); y < image.height() - Math.max(0, top); y++) {
            System.arraycopy(image.pixels(), (y + top) * row + from, pixels, y * row + to, row - Math.abs(left) * image.channels());
        }
        return new Image(image.height(), image.width(), image.channels(), pixels);
    }

    private static Image flipSometimes(Image image, Draws draws) {
        return draws.coin() ? flip(image) : image;
    }

    /** Mirrored left to right, into a new array: the source may belong to a data set. */
    static Image flip(Image image) {
        int channels = image.channels();
        byte[] in = image.pixels();
        byte[] out = new byte[in.length];
        int width = image.width() * channels;
        for (int row = 0; row < in.length; row += width) {
            // Forwards through one and backwards through the other: a call to copy three bytes would take longer than they do.
            for (int from = row, to = row + width - channels; from < row + width; from += channels, to -= channels) {
                for (int c = 0; c < channels; c++) {
                    out[to + c] = in[from + c];
                }
            }
        }
        return new Image(image.height(), image.width(), channels, out);
    }

    /** Gray by ITU-R 601 in 16-bit fixed point, the formula of Pillow's mode L. */
    static Image toGray(Image image) {
        if (image.channels() == 1) {
            return image;
        }
        byte[] in = image.pixels();
        byte[] out = new byte[in.length / 3];
        for (int i = 0, at = 0; i < out.length; i++, at += 3) {
            out[i] = (byte) ((in[at] & 0xFF) * 19595 + (in[at + 1] & 0xFF) * 38470 + (in[at + 2] & 0xFF) * 7471 + 0x8000 >> 16);
        }
        return new Image(image.height(), image.width(), 1, image.original(), out);
    }

    private static byte[] repeated(byte[] gray) {
        byte[] colour = new byte[gray.length * 3];
        for (int i = 0; i < gray.length; i++) {
            Arrays.fill(colour, 3 * i, 3 * i + 3, gray[i]);
        }
        return colour;
    }
}
