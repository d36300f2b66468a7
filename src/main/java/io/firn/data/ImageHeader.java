package io.firn.data;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/**
 * What the first bytes of an image file say about it, read without decoding anything: enough to refuse files that
 * would be too large, and to tell gray from colour.
 *
 * @param gray whether the file itself holds gray pixels only
 */
record ImageHeader(Format format, int height, int width, boolean gray) {
    enum Format { PNG, JPEG, WEBP, BMP }

    /** Pixels beyond which an image is taken for an attack: Pillow's limit. */
    static final long MOST_PIXELS = 178_956_970;

    private static final byte[] PNG_MAGIC = {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};

    /** The format by the file's first bytes; its name does not count. */
    static Optional<Format> sniff(byte[] bytes) {
        if (startsWith(bytes, 0, PNG_MAGIC)) {
            return Optional.of(Format.PNG);
        }
        if (startsWith(bytes, 0, new byte[] {(byte) 0xFF, (byte) 0xD8, (byte) 0xFF})) {
            return Optional.of(Format.JPEG);
        }
        if (startsWith(bytes, 0, ascii("RIFF")) && startsWith(bytes, 8, ascii("WEBP"))) {
            return Optional.of(Format.WEBP);
        }
        // "BM" alone is too short to trust: the size of the second header must make sense as well.
        if (startsWith(bytes, 0, ascii("BM")) && bytes.length >= 26 && bytes[14] >= 12 && bytes[15] == 0 && bytes[16] == 0) {
            return Optional.of(Format.BMP);
        }
        return Optional.empty();
    }

    /**
     * Reads the header.
     *
     * @param bytes the file, or as much of its beginning as holds the header
     * @throws DamagedImage for another format, a header that is cut off, no pixels, or more than {@link #MOST_PIXELS}
     */
    static ImageHeader read(byte[] bytes, String file) throws DamagedImage {
        Format format = sniff(bytes).orElseThrow(() -> new DamagedImage(file, bytes.length == 0 ? "empty file" : "not a PNG, JPEG, WebP or BMP file"));
        ImageHeader header;
        try {
            ByteBuffer in = ByteBuffer.wrap(bytes);
            header = switch (format) {
                case PNG -> png(in, file);
                case JPEG -> jpeg(in, file);
                case WEBP -> webp(in.order(ByteOrder.LITTLE_ENDIAN), file);
                case BMP -> bmp(in.order(ByteOrder.LITTLE_ENDIAN));
            };
        } catch (IndexOutOfBoundsException _) {
            throw new DamagedImage(file, "truncated: the file ends inside its header");
        }
        if (header.height < 1 || header.width < 1) {
            throw new DamagedImage(file, "its header says %s pixels".formatted(header.size()));
        }
        if (header.size().area() > MOST_PIXELS) {
            throw new DamagedImage(file, "its header says %s pixels, more than the %,d that Firn decodes".formatted(header.size(), MOST_PIXELS));
        }
        return header;
    }

    Size size() {
        return new Size(height, width);
    }

    private static ImageHeader png(ByteBuffer in, String file) throws DamagedImage {
        if (in.getInt(12) != 0x49484452) {
            throw new DamagedImage(file, "a PNG file that does not begin with IHDR");
        }
        int colourType = in.get(25);
        return new ImageHeader(Format.PNG, clamp(in.getInt(20)), clamp(in.getInt(16)), colourType == 0 || colourType == 4);
    }

    /** Walks the segments to the frame header (SOF0–SOF15 without DHT, JPG and DAC, which share the range). */
    private static ImageHeader jpeg(ByteBuffer in, String file) throws DamagedImage {
        int at = 2;
        while (true) {
            if ((in.get(at) & 0xFF) != 0xFF) {
                throw new DamagedImage(file, "a JPEG file with something else where a segment should begin (byte %d)".formatted(at));
            }
            int marker = in.get(at + 1) & 0xFF;
            if (marker == 0xFF) {
                at++;
            } else if (marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC) {
                return new ImageHeader(Format.JPEG, in.getShort(at + 5) & 0xFFFF, in.getShort(at + 7) & 0xFFFF, in.get(at + 9) == 1);
            } else if (marker == 0xD9 || marker == 0xDA) {
                throw new DamagedImage(file, "a JPEG file without a frame header");
            } else {
                at += 2 + Math.max(2, in.getShort(at + 2) & 0xFFFF);
            }
        }
    }

    private static ImageHeader webp(ByteBuffer in, String file) throws DamagedImage {
        return switch (in.getInt(12)) {
            case 0x20385056 -> new ImageHeader(Format.WEBP, in.getShort(28) & 0x3FFF, in.getShort(26) & 0x3FFF, false);
            case 0x4C385056 -> {
                int bits = in.getInt(21);
                yield new ImageHeader(Format.WEBP, (bits >>> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1, false);
            }
            case 0x58385056 -> new ImageHeader(Format.WEBP, (in.getInt(26) >>> 8) + 1, (in.getInt(24) & 0xFFFFFF) + 1, false);
            default -> throw new DamagedImage(file, "a WebP file of an unknown kind");
        };
    }

    private static ImageHeader bmp(ByteBuffer in) {
        if (in.getInt(14) == 12) {
            return new ImageHeader(Format.BMP, in.getShort(20) & 0xFFFF, in.getShort(18) & 0xFFFF, false);
        }
        return new ImageHeader(Format.BMP, clamp(Math.abs((long) in.getInt(22))), clamp(in.getInt(18)), false);
    }

    /** Sizes above 2^31 - 1 stay too large instead of turning negative, which would read as "no pixels". */
    private static int clamp(long size) {
        return (int) Math.min(size < 0 ? size & 0xFFFFFFFFL : size, Integer.MAX_VALUE);
    }

    private static boolean startsWith(byte[] bytes, int offset, byte[] prefix) {
        return bytes.length >= offset + prefix.length
                && java.util.Arrays.equals(bytes, offset, offset + prefix.length, prefix, 0, prefix.length);
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }
}
