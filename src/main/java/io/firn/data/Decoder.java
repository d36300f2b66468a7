package io.firn.data;

import static org.bytedeco.opencv.global.opencv_core.CV_8UC1;
import static org.bytedeco.opencv.global.opencv_core.CV_8UC3;
import static org.bytedeco.opencv.global.opencv_imgcodecs.IMREAD_COLOR_RGB;
import static org.bytedeco.opencv.global.opencv_imgcodecs.IMREAD_GRAYSCALE;
import static org.bytedeco.opencv.global.opencv_imgcodecs.IMREAD_IGNORE_ORIENTATION;
import static org.bytedeco.opencv.global.opencv_imgcodecs.IMREAD_REDUCED_GRAYSCALE_2;
import static org.bytedeco.opencv.global.opencv_imgcodecs.IMREAD_REDUCED_GRAYSCALE_4;
import static org.bytedeco.opencv.global.opencv_imgcodecs.IMREAD_REDUCED_GRAYSCALE_8;
import static org.bytedeco.opencv.global.opencv_imgcodecs.imdecode;

import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.opencv.opencv_core.Mat;

/**
 * Turns image files (PNG, JPEG, WebP, BMP) into bytes with OpenCV, and refuses what is damaged or absurdly large
 * before any of it is decoded.
 *
 * <p>As torchvision's folder loader does: EXIF orientation is ignored, an alpha channel is dropped (not blended),
 * palettes and CMYK become colours, 16 bits become the upper 8, an animation is its first frame. A gray file gives
 * one channel, any other three. OpenCV is loaded by the first call, and nothing else in this package needs it.
 */
public final class Decoder {
    /** Files larger than this are refused unread: 512 MB. */
    public static final long MOST_BYTES = 512L << 20;

    private Decoder() {
    }

    /**
     * Reads and decodes a file.
     *
     * @throws DamagedImage where it is missing, unreadable, too large, of another format, or damaged
     */
    public static Image decode(Path path) throws DamagedImage {
        return decode(path, Reduction.NONE);
    }

    /** The same, smaller where the format decodes that at less cost. */
    public static Image decode(Path path, Reduction reduction) throws DamagedImage {
        String file = path.toString();
        return decode(read(path, file), file, reduction);
    }

    /**
     * Decodes the bytes of a file.
     *
     * @param file names it in errors
     * @throws DamagedImage as for a path
     */
    public static Image decode(byte[] bytes, String file) throws DamagedImage {
        return decode(bytes, file, Reduction.NONE);
    }

    /** The same, smaller where the format decodes that at less cost. */
    public static Image decode(byte[] bytes, String file, Reduction reduction) throws DamagedImage {
        ImageHeader header = ImageHeader.read(bytes, file);
        ImageParts parts = ImageParts.of(bytes, header, file);
        OpenCv.load();
        int divisor = header.format() == ImageHeader.Format.JPEG ? reduction.of(header.size()) : 1;
        int flags = (header.gray() ? IMREAD_GRAYSCALE : IMREAD_COLOR_RGB) | IMREAD_IGNORE_ORIENTATION | scale(divisor);
        try (BytePointer memory = copy(bytes, parts);
                Mat encoded = new Mat(1, Math.toIntExact(parts.length()), CV_8UC1, memory);
                Mat decoded = imdecode(encoded, flags)) {
            Image image = toImage(decoded, header, divisor, file);
            // OpenCV's Mat points into this memory without holding it.
            Reference.reachabilityFence(memory);
            return image;
        } catch (RuntimeException e) {
            // OpenCV's text begins with its version and the path of its source.
            throw new DamagedImage(file, "OpenCV cannot decode it: " + firstLine(e).replaceFirst("^.*? error: ", ""));
        }
    }

    /** OpenCV's flag, and libjpeg's scale: blocks of 8x8 coefficients become 4x4, 2x2 or 1 pixels. */
    private static int scale(int divisor) {
        return switch (divisor) {
            case 1 -> 0;
            case 2 -> IMREAD_REDUCED_GRAYSCALE_2;
            case 4 -> IMREAD_REDUCED_GRAYSCALE_4;
            case 8 -> IMREAD_REDUCED_GRAYSCALE_8;
            default -> throw new IllegalArgumentException("reduction by " + divisor);
        };
    }

    private static byte[] read(Path path, String file) throws DamagedImage {
        try {
            long size = Files.size(path);
            if (size > MOST_BYTES) {
                throw new DamagedImage(file, "%,d bytes, more than the %,d that Firn reads".formatted(size, MOST_BYTES));
            }
            return Files.readAllBytes(path);
        } catch (NoSuchFileException _) {
            throw new DamagedImage(file, "no such file");
        } catch (AccessDeniedException _) {
            throw new DamagedImage(file, "may not be read (permissions)");
        } catch (IOException e) {
            throw new DamagedImage(file, "cannot be read: " + firstLine(e));
        }
    }

    private static BytePointer copy(byte[] bytes, ImageParts parts) {
        BytePointer copy = new BytePointer(parts.length());
        int[] ranges = parts.ranges();
        long at = 0;
        for (int i = 0; i < ranges.length; i += 2) {
            int length = ranges[i + 1] - ranges[i];
            copy.position(at).put(bytes, ranges[i], length);
            at += length;
        }
        return copy.position(0);
    }

    private static Image toImage(Mat decoded, ImageHeader header, int divisor, String file) throws DamagedImage {
        if (decoded.isNull() || decoded.empty()) {
            throw new DamagedImage(file, "damaged: its %s data cannot be decoded".formatted(header.format()));
        }
        int channels = decoded.channels();
        if (decoded.type() != CV_8UC1 && decoded.type() != CV_8UC3 || !decoded.isContinuous()) {
            throw new DamagedImage(file, "decoded to an unexpected kind of pixels (OpenCV type %d)".formatted(decoded.type()));
        }
        int height = Math.ceilDiv(header.height(), divisor);
        int width = Math.ceilDiv(header.width(), divisor);
        if (decoded.rows() != height || decoded.cols() != width) {
            throw new DamagedImage(file, "decoded to %dx%d where its header says %s".formatted(decoded.cols(), decoded.rows(), header.size()));
        }
        byte[] pixels = new byte[Math.toIntExact((long) height * width * channels)];
        try (BytePointer data = decoded.data()) {
            data.get(pixels);
        }
        Reference.reachabilityFence(decoded);
        return new Image(height, width, channels, header.size(), pixels);
    }

    private static String firstLine(Exception e) {
        return String.valueOf(e.getMessage()).lines().findFirst().orElse("");
    }
}
