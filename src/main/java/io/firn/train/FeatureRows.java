package io.firn.train;

import io.firn.data.Loader;
import io.firn.files.AtomicFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.zip.CRC32C;

/**
 * What the frozen prefix computes of each image of a set, for each of a few views: rows of equal size in memory, or in a
 * mapped file. They are written once, in order, and only read from then on.
 *
 * <pre>
 * header   "FIRNFEAT", i32 version, i32 views, i32 images, i32 bytes of a row, i64 CRC-32C of the rest, 32 bytes of key
 * rows     [views, images, bytes of a row]
 * flags    [views, images]: 1 where the image could be read
 * </pre>
 * All numbers are little-endian. A file is taken only where header, size, key and checksum are what they must be.
 */
final class FeatureRows implements Loader.Rows, AutoCloseable {
    private static final byte[] MAGIC = "FIRNFEAT".getBytes(StandardCharsets.US_ASCII);
    private static final int VERSION = 1;
    static final int HEADER = 64;
    private static final int CHECKED_AT_ONCE = 1 << 26;

    /**
     * What a set of rows is.
     *
     * @param key SHA-256 of all that the rows depend on
     */
    record Shape(int views, int images, int rowBytes, byte[] key) {
        long rows() {
            return (long) views * images;
        }

        /** Rows and flags. */
        long bytes() {
            return rows() * (rowBytes + 1L);
        }

        private ByteBuffer header(long checksum) {
            return ByteBuffer.allocate(HEADER).order(ByteOrder.LITTLE_ENDIAN).put(MAGIC).putInt(VERSION).putInt(views)
                    .putInt(images).putInt(rowBytes).putLong(checksum).put(key).flip();
        }
    }

    /** Takes rows in order. */
    interface Sink {
        /** @param rows so many whole rows */
        void put(MemorySegment rows) throws IOException;
    }

    /** Computes all rows in order, and says of each whether its image could be read. */
    interface Source {
        byte[] fill(Sink sink) throws IOException;
    }

    private final Shape shape;
    private final Arena arena;
    private final MemorySegment rows;

    private FeatureRows(Shape shape, Arena arena, MemorySegment rows) {
        this.shape = shape;
        this.arena = arena;
        this.rows = rows;
    }

    /**
     * Rows in memory.
     *
     * @throws IOException where there is no such memory
     */
    static FeatureRows inMemory(Shape shape, Source source) throws IOException {
        Arena arena = Arena.ofShared();
        try {
            MemorySegment all = arena.allocate(shape.bytes(), 64);
            long[] at = {0};
            byte[] flags = source.fill(part -> {
                MemorySegment.copy(part, 0, all, at[0], part.byteSize());
                at[0] += part.byteSize();
            });
            MemorySegment.copy(flags, 0, all, ValueLayout.JAVA_BYTE, at[0], flags.length);
            return new FeatureRows(shape, arena, all);
        } catch (OutOfMemoryError e) {
            arena.close();
            throw new IOException("%,d bytes of memory cannot be had".formatted(shape.bytes()), e);
        } catch (IOException | RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    /**
     * Rows in a file: the one that is there, where it is what it must be, else a new one in its place.
     *
     * @param say told why a file that is there is not taken
     * @throws IOException where no such file can be written; what is there stays
     */
    static FeatureRows inFile(Path file, Shape shape, Source source, Consumer<String> say) throws IOException {
        if (Files.exists(file)) {
            Optional<FeatureRows> there = open(file, shape, say);
            if (there.isPresent()) {
                return there.get();
            }
        }
        write(file, shape, source);
        return open(file, shape, say).orElseThrow(() -> new IOException(file + " is not what was just written"));
    }

    private static Optional<FeatureRows> open(Path file, Shape shape, Consumer<String> say) throws IOException {
        Arena arena = Arena.ofShared();
        String wrong;
        try (FileChannel in = FileChannel.open(file, StandardOpenOption.READ)) {
            wrong = in.size() != HEADER + shape.bytes() ? "it has %,d bytes, not %,d".formatted(in.size(), HEADER + shape.bytes())
                    : null;
            if (wrong == null) {
                MemorySegment all = in.map(FileChannel.MapMode.READ_ONLY, 0, in.size(), arena);
                MemorySegment rows = all.asSlice(HEADER);
                byte[] header = all.asSlice(0, HEADER).toArray(ValueLayout.JAVA_BYTE);
                int begin = HEADER - shape.key.length - Long.BYTES;
                byte[] expected = shape.header(0).array();
                if (!Arrays.equals(header, 0, begin, expected, 0, begin)
                        || !Arrays.equals(header, HEADER - shape.key.length, HEADER, shape.key, 0, shape.key.length)) {
                    wrong = "it was made of other weights, images or options, or is no feature cache";
                } else if (ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN).getLong(begin) != checksum(rows)) {
                    wrong = "its checksum is another";
                } else {
                    return Optional.of(new FeatureRows(shape, arena, rows));
                }
            }
        } catch (IOException | RuntimeException | Error e) {
            arena.close();
            throw e;
        }
        arena.close();
        say.accept("the feature cache %s is made anew: %s".formatted(file, wrong));
        return Optional.empty();
    }

    private static long checksum(MemorySegment rows) {
        CRC32C crc = new CRC32C();
        for (long at = 0; at < rows.byteSize(); at += CHECKED_AT_ONCE) {
            crc.update(rows.asSlice(at, Math.min(CHECKED_AT_ONCE, rows.byteSize() - at)).asByteBuffer());
        }
        return crc.getValue();
    }

    /** Through the channel: a full disk under a mapped file would end the process. */
    private static void write(Path file, Shape shape, Source source) throws IOException {
        Files.createDirectories(file.getParent());
        long free = Files.getFileStore(file.getParent()).getUsableSpace();
        if (free < HEADER + shape.bytes()) {
            throw new IOException("it needs %,d bytes, and the disk has %,d left".formatted(HEADER + shape.bytes(), free));
        }
        AtomicFile.tryWrite(file, out -> {
            CRC32C crc = new CRC32C();
            out.position(HEADER);
            byte[] flags = source.fill(part -> append(out, part.asByteBuffer(), crc));
            append(out, ByteBuffer.wrap(flags), crc);
            out.position(0);
            writeAll(out, shape.header(crc.getValue()));
        });
    }

    private static void append(FileChannel out, ByteBuffer part, CRC32C crc) throws IOException {
        crc.update(part.duplicate());
        writeAll(out, part);
    }

    private static void writeAll(FileChannel out, ByteBuffer b) throws IOException {
        while (b.hasRemaining()) {
            out.write(b);
        }
    }

    /** Images that could not be read. */
    long damaged() {
        long readable = 0;
        for (int i = 0; i < shape.images; i++) {
            readable += rows.get(ValueLayout.JAVA_BYTE, flagAt(0, i));
        }
        return shape.images - readable;
    }

    private long flagAt(int view, int index) {
        return shape.rows() * shape.rowBytes + (long) view * shape.images + index;
    }

    @Override
    public int bytes() {
        return shape.rowBytes;
    }

    @Override
    public boolean copy(int index, int view, MemorySegment to, long offset) {
        if (rows.get(ValueLayout.JAVA_BYTE, flagAt(view, index)) == 0) {
            return false;
        }
        MemorySegment.copy(rows, ((long) view * shape.images + index) * shape.rowBytes, to, offset, shape.rowBytes);
        return true;
    }

    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
