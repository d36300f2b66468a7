package io.firn.train;

import io.firn.data.Augment;
import io.firn.data.DamagedImage;
import io.firn.data.Dataset;
import io.firn.data.PictureFile;
import io.firn.data.Transform;
import java.util.Base64;
import java.util.Optional;

/** A small picture of what the network sees of an image, as a data URI: PNG where that is small anyway, else JPEG. */
final class Thumbnail {
    private static final int SIDE = 96;
    private static final int PIXELS_OF_A_PNG = 40 * 40;

    private Thumbnail() {
    }

    /** Of an image of a set, cut as for the network; empty where it cannot be read any more. */
    static Optional<String> of(Dataset set, int index, Preprocessing p) {
        int side = Math.min(SIDE, p.resolution());
        // The same share is cut off; an image that is taken as it is shrinks whole.
        int resize = side == p.resolution() ? p.resize()
                : Math.max(side, (int) ((long) Math.max(p.resize(), p.resolution()) * side / p.resolution()));
        try {
            byte[] pixels = new Transform(side, side, p.channels(), Augment.NONE, resize, 0)
                    .apply(set.image(index), 0, index, set.describe(index));
            return Optional.of(encode(pixels, side, p.channels()));
        } catch (DamagedImage e) {
            return Optional.empty();
        }
    }

    private static String encode(byte[] pixels, int side, int channels) {
        PictureFile file = PictureFile.of(pixels, side, side, channels, side * side <= PIXELS_OF_A_PNG);
        return "data:image/%s;base64,%s".formatted(file.type(), Base64.getEncoder().encodeToString(file.bytes()));
    }
}
