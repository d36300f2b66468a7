package io.firn.data;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.zip.CRC32;
import java.util.zip.GZIPOutputStream;
import javax.imageio.ImageIO;

/** Small files and data sets that the tests of this package make on the fly. */
final class Samples {
    private Samples() {
    }

    /** The bytes that the script in {@code pillow.txt} calls pattern. */
    static Image pattern(int height, int width, int channels) {
        byte[] pixels = new byte[height * width * channels];
        for (long i = 0; i < pixels.length; i++) {
            pixels[(int) i] = (byte) (i * 7919 + i * i % 251 * 31);
        }
        return new Image(height, width, channels, pixels);
    }

    /** An image file in the format that its name ends in, of one colour with a gradient; {@code shade} tells files apart. */
    static Path write(Path file, int height, int width, int shade) {
        BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                image.setRGB(x, y, (shade & 0xFF) << 16 | (x * 5 & 0xFF) << 8 | (y * 3 & 0xFF));
            }
        }
        String name = file.getFileName().toString().toLowerCase(java.util.Locale.ROOT);
        try {
            Files.createDirectories(file.getParent());
            String format = name.substring(name.lastIndexOf('.') + 1);
            if (!ImageIO.write(image, format.equals("jpeg") ? "jpg" : format, file.toFile())) {
                throw new IllegalArgumentException(name);
            }
            return file;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A PNG that has a header of that size and one chunk of the given data. */
    static byte[] png(int width, int height, byte[] data) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(new byte[] {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'});
        chunk(out, "IHDR", ByteBuffer.allocate(13).putInt(width).putInt(height).put(new byte[] {8, 2, 0, 0, 0}).array());
        chunk(out, "IDAT", data);
        chunk(out, "IEND", new byte[0]);
        return out.toByteArray();
    }

    private static void chunk(ByteArrayOutputStream out, String type, byte[] data) {
        ByteBuffer chunk = ByteBuffer.allocate(12 + data.length).putInt(data.length).put(type.getBytes()).put(data);
        CRC32 crc = new CRC32();
        crc.update(chunk.array(), 4, 4 + data.length);
        out.writeBytes(chunk.putInt((int) crc.getValue()).array());
    }

    /** IDX bytes with that header, whatever the data. */
    static byte[] idx(byte[] data, int... dimensions) {
        ByteBuffer out = ByteBuffer.allocate(4 + 4 * dimensions.length + data.length).putInt(0x800 | dimensions.length);
        for (int d : dimensions) {
            out.putInt(d);
        }
        return out.put(data).array();
    }

    /** Writes a file, gzipped where its name ends in .gz. */
    static Path write(Path file, byte[] bytes) {
        try (OutputStream out = file.toString().endsWith(".gz") ? new GZIPOutputStream(Files.newOutputStream(file)) : Files.newOutputStream(file)) {
            out.write(bytes);
            return file;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A folder in IDX form: {@code train} and {@code test} images of 4x5 whose labels are index modulo {@code classes}. */
    static Path idxFolder(Path folder, int train, int test, int classes, String suffix) {
        for (var part : List.of(new Object[] {"train", train}, new Object[] {"t10k", test})) {
            int n = (int) part[1];
            if (n > 0) {
                byte[] labels = new byte[n];
                byte[] pixels = new byte[n * 20];
                for (int i = 0; i < n; i++) {
                    labels[i] = (byte) (i % classes);
                    java.util.Arrays.fill(pixels, i * 20, i * 20 + 20, (byte) i);
                }
                write(folder.resolve(part[0] + "-images-idx3-ubyte" + suffix), idx(pixels, n, 4, 5));
                write(folder.resolve(part[0] + "-labels-idx1-ubyte" + suffix), idx(labels, n));
            }
        }
        return folder;
    }

    /** An in-memory set whose image {@code i} is filled with byte {@code i}, of class {@code i % 2}; some are damaged. */
    record Fake(int size, int side, int channels, Set<Integer> damaged) implements Dataset {
        Fake(int size, Integer... damaged) {
            this(size, 8, 1, Set.of(damaged));
        }

        @Override
        public String name() {
            return "fake";
        }

        @Override
        public List<String> classes() {
            return List.of("even", "odd");
        }

        @Override
        public int label(int index) {
            return index % 2;
        }

        @Override
        public Optional<Size> uniformSize() {
            return Optional.of(new Size(side, side));
        }

        @Override
        public String describe(int index) {
            return "image " + index;
        }

        @Override
        public Image image(int index) throws DamagedImage {
            if (damaged.contains(index)) {
                throw new DamagedImage(describe(index), "on purpose");
            }
            byte[] pixels = new byte[side * side * channels];
            java.util.Arrays.fill(pixels, (byte) index);
            return new Image(side, side, channels, pixels);
        }

        @Override
        public String fingerprint() {
            return "fake " + size;
        }
    }
}
