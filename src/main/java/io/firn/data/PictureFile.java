package io.firn.data;

import static org.bytedeco.opencv.global.opencv_core.CV_8UC1;
import static org.bytedeco.opencv.global.opencv_core.CV_8UC3;

import io.firn.error.UserError;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.opencv.opencv_core.Mat;

/**
 * Pixels as a file for browsers: PNG without any library, since a bundle for GPUs has none that knows pictures, and JPEG by
 * OpenCV.
 *
 * @param type  of the file: {@code png} or {@code jpeg}
 * @param bytes of the file
 */
public record PictureFile(String type, byte[] bytes) {
    private static final byte[] SIGNATURE = {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
    private static final int BITS = 8;
    private static final int GRAY = 0;
    private static final int RGB = 2;

    /**
     * A PNG where {@code exact}, or where OpenCV cannot be loaded; else a JPEG, which is smaller for photographs.
     *
     * @param pixels u8 [height, width, channels], one channel or three in the order red, green, blue
     */
    public static PictureFile of(byte[] pixels, int height, int width, int channels, boolean exact) {
        if (exact) {
            return png(pixels, height, width, channels);
        }
        try {
            OpenCv.load();
        } catch (UserError e) {
            return png(pixels, height, width, channels);
        }
        return jpeg(pixels, height, width, channels);
    }

    private static PictureFile jpeg(byte[] pixels, int height, int width, int channels) {
        byte[] turned = pixels.clone();
        for (int i = 0; channels == 3 && i < pixels.length; i += 3) {
            turned[i] = pixels[i + 2];
            turned[i + 2] = pixels[i];
        }
        try (BytePointer memory = new BytePointer(turned);
                Mat image = new Mat(height, width, channels == 1 ? CV_8UC1 : CV_8UC3, memory)) {
            return new PictureFile("jpeg", OpenCv.encode(".jpg", image));
        }
    }

    /** Rows as they are, each after the byte 0, which says so (PNG specification, ISO/IEC 15948). */
    private static PictureFile png(byte[] pixels, int height, int width, int channels) {
        int row = width * channels;
        byte[] rows = new byte[height * (row + 1)];
        for (int y = 0; y < height; y++) {
            System.arraycopy(pixels, y * row, rows, y * (row + 1) + 1, row);
        }
        var file = new ByteArrayOutputStream();
        file.writeBytes(SIGNATURE);
        ByteBuffer header = ByteBuffer.allocate(13).putInt(width).putInt(height).put((byte) BITS)
                .put((byte) (channels == 1 ? GRAY : RGB));
        chunk(file, "IHDR", header.array());
        chunk(file, "IDAT", deflated(rows));
        chunk(file, "IEND", new byte[0]);
        return new PictureFile("png", file.toByteArray());
    }

    private static byte[] deflated(byte[] bytes) {
        try (Deflater deflater = new Deflater(Deflater.BEST_COMPRESSION)) {
            deflater.setInput(bytes);
            deflater.finish();
            var out = new ByteArrayOutputStream();
            byte[] part = new byte[1 << 12];
            while (!deflater.finished()) {
                out.write(part, 0, deflater.deflate(part));
            }
            return out.toByteArray();
        }
    }

    private static void chunk(ByteArrayOutputStream to, String name, byte[] content) {
        byte[] type = name.getBytes(StandardCharsets.US_ASCII);
        CRC32 sum = new CRC32();
        sum.update(type);
        sum.update(content);
        to.writeBytes(ByteBuffer.allocate(Integer.BYTES).putInt(content.length).array());
        to.writeBytes(type);
        to.writeBytes(content);
        to.writeBytes(ByteBuffer.allocate(Integer.BYTES).putInt((int) sum.getValue()).array());
    }
}
