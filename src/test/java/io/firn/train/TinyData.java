package io.firn.train;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;

/** Data sets that a network of any size learns within seconds: where the bright patch is, is the class. */
public final class TinyData {
    public static final int SIDE = 12;

    private TinyData() {
    }

    /** An IDX folder of gray pictures of 12x12 with up to 4 classes; without test images there is no validation part. */
    public static Path idx(Path folder, int train, int test, int classes) {
        return idx(folder, train, test, classes, SIDE);
    }

    /** The same with pictures of another even size. */
    public static Path idx(Path folder, int train, int test, int classes, int side) {
        try {
            Files.createDirectories(folder);
            write(folder, "train", train, classes, side);
            if (test > 0) {
                write(folder, "t10k", test, classes, side);
            }
            return folder;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void write(Path folder, String part, int n, int classes, int side) throws IOException {
        Random random = new Random(part.hashCode());
        byte[] labels = new byte[n];
        byte[] pixels = new byte[n * side * side];
        for (int i = 0; i < n; i++) {
            labels[i] = (byte) (i % classes);
            for (int p = 0; p < side * side; p++) {
                boolean bright = p / side / (side / 2) * 2 + p % side / (side / 2) == labels[i];
                pixels[i * side * side + p] = (byte) (random.nextInt(100) + (bright ? 120 : 0));
            }
        }
        Files.write(folder.resolve(part + "-images-idx3-ubyte"), idx(pixels, n, side, side));
        Files.write(folder.resolve(part + "-labels-idx1-ubyte"), idx(labels, n));
    }

    private static byte[] idx(byte[] data, int... dimensions) {
        ByteBuffer out = ByteBuffer.allocate(4 + 4 * dimensions.length + data.length).putInt(0x800 | dimensions.length);
        for (int d : dimensions) {
            out.putInt(d);
        }
        return out.put(data).array();
    }
}
