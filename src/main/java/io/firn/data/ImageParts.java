package io.firn.data;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Set;
import java.util.zip.CRC32;

/**
 * The parts of an image file that its pixels depend on, after a check that the file is whole.
 *
 * <p>Decoders are lenient: from a file that was cut off they return an image whose rest is gray, with a warning on
 * standard error at best. So the structure is walked first (PNG chunks with their checksums up to IEND, JPEG segments
 * up to EOI, the lengths that WebP and BMP declare). Handing over only the parts that matter also leaves out colour
 * profiles, text and EXIF, of which decoders would warn, and animation, of which the first frame counts.
 *
 * @param ranges pairs of offsets (from, to) into the file, in order
 */
record ImageParts(int[] ranges) {
    private static final int IHDR = 0x49484452;
    private static final int PLTE = 0x504C5445;
    private static final int IDAT = 0x49444154;
    private static final int IEND = 0x49454E44;
    private static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.nativeOrder());
    private static final Set<Integer> PNG_KEPT = Set.of(IHDR, PLTE, IDAT, IEND);

    /**
     * Checks and lists the parts.
     *
     * @throws DamagedImage where the file is cut off or a checksum is wrong
     */
    static ImageParts of(byte[] bytes, ImageHeader header, String file) throws DamagedImage {
        try {
            return switch (header.format()) {
                case PNG -> png(bytes, file);
                case JPEG -> jpeg(bytes, file);
                case WEBP -> declared(bytes, 8 + (int32(bytes, 4) & 0xFFFFFFFFL), file);
                case BMP -> declared(bytes, bmpLength(bytes, header), file);
            };
        } catch (IndexOutOfBoundsException _) {
            throw new DamagedImage(file, "truncated at byte " + bytes.length);
        }
    }

    long length() {
        long length = 0;
        for (int i = 0; i < ranges.length; i += 2) {
            length += ranges[i + 1] - ranges[i];
        }
        return length;
    }

    private static ImageParts png(byte[] bytes, String file) throws DamagedImage {
        Ranges kept = new Ranges().add(0, 8);
        CRC32 crc = new CRC32();
        boolean data = false;
        for (int at = 8; ; ) {
            if (at + 12 > bytes.length) {
                throw new DamagedImage(file, "truncated at byte %d: no IEND chunk".formatted(bytes.length));
            }
            long end = at + 12L + (bigEndian32(bytes, at) & 0xFFFFFFFFL);
            int type = bigEndian32(bytes, at + 4);
            if (end > bytes.length) {
                throw new DamagedImage(file, "truncated at byte %d: a chunk should reach byte %d".formatted(bytes.length, end));
            }
            if (PNG_KEPT.contains(type)) {
                crc.reset();
                crc.update(bytes, at + 4, (int) end - at - 8);
                if ((int) crc.getValue() != bigEndian32(bytes, (int) end - 4)) {
                    throw new DamagedImage(file, "damaged: wrong checksum of the chunk at byte " + at);
                }
                kept.add(at, (int) end);
                data |= type == IDAT;
            }
            at = (int) end;
            if (type == IEND) {
                break;
            }
        }
        if (!data) {
            throw new DamagedImage(file, "a PNG file without pixels (no IDAT chunk)");
        }
        return new ImageParts(kept.toArray());
    }

    private static ImageParts jpeg(byte[] bytes, String file) throws DamagedImage {
        Ranges kept = new Ranges().add(0, 2);
        boolean scan = false;
        for (int at = 2; ; ) {
            if (at + 2 > bytes.length) {
                throw new DamagedImage(file, "truncated at byte %d: no end-of-image marker".formatted(bytes.length));
            }
            if (bytes[at] != (byte) 0xFF) {
                throw new DamagedImage(file, "damaged: no JPEG marker at byte " + at);
            }
            int marker = bytes[at + 1] & 0xFF;
            if (marker == 0xFF) {
                at++;
                continue;
            }
            if (marker == 0xD9) {
                kept.add(at, at + 2);
                break;
            }
            int end = at + 2 + (marker == 0x01 || marker >= 0xD0 && marker <= 0xD7 ? 0
                    : (bytes[at + 2] & 0xFF) << 8 | bytes[at + 3] & 0xFF);
            if (marker == 0xDA) {
                scan = true;
                end = entropyEnd(bytes, end);
            }
            if (end > bytes.length) {
                throw new DamagedImage(file, "truncated at byte %d: no end-of-image marker".formatted(bytes.length));
            }
            // Of the application segments, JFIF's and Adobe's tell which colours are stored.
            boolean application = marker >= 0xE0 && marker <= 0xEF && marker != 0xE0 && marker != 0xEE;
            if (!application && marker != 0xFE) {
                kept.add(at, end);
            }
            at = end;
        }
        if (!scan) {
            throw new DamagedImage(file, "a JPEG file without pixels (no scan)");
        }
        return new ImageParts(kept.toArray());
    }

    /** Where the coded pixels end: at the first marker that is neither a stuffed byte nor a restart. */
    private static int entropyEnd(byte[] bytes, int from) {
        for (int at = from; at + 1 < bytes.length; at++) {
            // Eight bytes at once, as long as none of them is 0xFF.
            while (at + 8 < bytes.length && !hasMarkerByte((long) LONGS.get(bytes, at))) {
                at += 8;
            }
            if (bytes[at] == (byte) 0xFF) {
                int next = bytes[at + 1] & 0xFF;
                if (next != 0 && next != 0xFF && (next < 0xD0 || next > 0xD7)) {
                    return at;
                }
            }
        }
        return bytes.length;
    }

    /** Whether one of eight bytes is 0xFF: a zero of the complement borrows from its highest bit. */
    private static boolean hasMarkerByte(long eight) {
        long complement = ~eight;
        return (complement - 0x0101010101010101L & eight & 0x8080808080808080L) != 0;
    }

    private static long bmpLength(byte[] bytes, ImageHeader header) {
        int info = int32(bytes, 14);
        int bits = bytes[info == 12 ? 24 : 28] & 0xFF;
        int compression = info == 12 ? 0 : int32(bytes, 30);
        long row = (((long) header.width() * bits + 31) >> 5) * 4;
        long pixels = compression == 1 || compression == 2 ? 1 : row * header.height();
        return (int32(bytes, 10) & 0xFFFFFFFFL) + pixels;
    }

    private static ImageParts declared(byte[] bytes, long length, String file) throws DamagedImage {
        if (length > bytes.length) {
            throw new DamagedImage(file, "truncated at byte %d of %d".formatted(bytes.length, length));
        }
        return new ImageParts(new int[] {0, bytes.length});
    }

    private static int bigEndian32(byte[] bytes, int at) {
        return Integer.reverseBytes(int32(bytes, at));
    }

    private static int int32(byte[] bytes, int at) {
        return bytes[at] & 0xFF | (bytes[at + 1] & 0xFF) << 8 | (bytes[at + 2] & 0xFF) << 16 | bytes[at + 3] << 24;
    }

    /** Offsets in order; neighbours are joined. */
    private static final class Ranges {
        private int[] offsets = new int[16];
        private int used;

        Ranges add(int from, int to) {
            if (used > 0 && offsets[used - 1] == from) {
                offsets[used - 1] = to;
                return this;
            }
            if (used == offsets.length) {
                offsets = Arrays.copyOf(offsets, 2 * used);
            }
            offsets[used++] = from;
            offsets[used++] = to;
            return this;
        }

        int[] toArray() {
            return Arrays.copyOf(offsets, used);
        }
    }
}
