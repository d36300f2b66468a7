package io.firn.data;

import io.firn.error.UserError;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * A data set whose images are resized once and kept as bytes, as many as there is room for; the others are decoded and
 * resized anew each time, to the same bytes. So what an image looks like depends on neither the room nor on what came before.
 *
 * <p>Each place is written once, by whoever reads its image first, and then only read. It holds height, width and channels,
 * 4 bytes each, and the pixels.
 */
public final class ImageCache implements Dataset, AutoCloseable {
    private static final int HEADER = 12;
    private static final long ALIGNMENT = 8;
    /** Memory is taken in pieces, as they are needed; an image lies in one. */
    private static final long CHUNK = 64L << 20;
    /** More than machines have, and little enough for a table of chunks. */
    private static final long MOST = CHUNK << 16;
    private static final long EMPTY = 0;
    /** Being written, or known not to fit. */
    private static final long OUTSIDE = -1;

    private final Dataset set;
    private final int side;
    private final long room;
    private final Arena arena = Arena.ofShared();
    private final Optional<MemorySegment> mapped;
    private final MemorySegment[] chunks;
    /** At which byte each image begins, plus one. */
    private final AtomicLongArray places;
    private final AtomicLong used = new AtomicLong();
    private final AtomicLong kept = new AtomicLong();

    /**
     * A cache in memory, or in a file that is mapped into it and whose name is gone at once.
     *
     * @param side   what the shorter side becomes where it is longer; 0 keeps images as they are
     * @param bytes  room for images; less memory is taken where the set needs less
     * @param folder where the file is made; empty for memory
     * @throws UserError where no such file can be made
     */
    public ImageCache(Dataset set, int side, long bytes, Optional<Path> folder) {
        this.set = set;
        this.side = side;
        room = Math.min(bytes, MOST);
        places = new AtomicLongArray(set.size());
        chunks = new MemorySegment[Math.toIntExact(Math.ceilDiv(room, CHUNK))];
        try {
            mapped = folder.isEmpty() ? Optional.empty() : Optional.of(map(folder.get()));
        } catch (IOException e) {
            arena.close();
            throw UserError.other("--image-cache-folder %s: no file of %,d bytes can be made there: %s", folder.get(), bytes, e)
                    .causedBy(e);
        }
    }

    private MemorySegment map(Path folder) throws IOException {
        Path file = Files.createTempFile(folder, ".firn-images-", null);
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            // Writing to a mapped file on a full disk would end the process.
            long free = Files.getFileStore(file).getUsableSpace();
            if (free < room) {
                throw new IOException("the disk has %,d bytes left".formatted(free));
            }
            return channel.map(FileChannel.MapMode.READ_WRITE, 0, room, arena);
        } finally {
            Files.delete(file);
        }
    }

    private synchronized MemorySegment chunk(long at) {
        int i = (int) (at / CHUNK);
        long from = i * CHUNK;
        long bytes = Math.min(CHUNK, room - from);
        if (chunks[i] == null) {
            chunks[i] = mapped.map(m -> m.asSlice(from, bytes)).orElseGet(() -> allocate(bytes));
        }
        return chunks[i];
    }

    private MemorySegment allocate(long bytes) {
        try {
            return arena.allocate(bytes, ALIGNMENT);
        } catch (OutOfMemoryError e) {
            throw UserError.memory("--image-cache: no memory is left after %,d bytes of images: give less", kept.get()).causedBy(e);
        }
    }

    /** Bytes of images that are kept so far. */
    public long bytes() {
        return kept.get();
    }

    @Override
    public Image image(int index) throws DamagedImage {
        long place = places.get(index);
        if (place > EMPTY) {
            return read(place - 1);
        }
        boolean mine = place == EMPTY && places.compareAndSet(index, EMPTY, OUTSIDE);
        Image image = resized(index);
        if (mine) {
            write(index, image);
        }
        return image;
    }

    /** Images are small already. */
    @Override
    public Image image(int index, Reduction reduction) throws DamagedImage {
        return image(index);
    }

    private Image resized(int index) throws DamagedImage {
        if (side == 0) {
            return set.image(index);
        }
        Image image = set.image(index, size -> Transform.reduction(Math.min(size.height(), size.width()) / (double) side));
        Size original = image.original();
        int shorter = Math.min(original.height(), original.width());
        if (shorter <= side) {
            return image;
        }
        Size size = Transform.shorterSide(original, side);
        return Resampler.resize(image, Resampler.Box.of(image), size, new Resampler.Box(0, 0, size.height(), size.width()));
    }

    private Image read(long place) {
        MemorySegment chunk = chunk(place);
        long at = place % CHUNK;
        int height = chunk.get(ValueLayout.JAVA_INT, at);
        int width = chunk.get(ValueLayout.JAVA_INT, at + 4);
        int channels = chunk.get(ValueLayout.JAVA_INT, at + 8);
        byte[] pixels = new byte[height * width * channels];
        MemorySegment.copy(chunk, ValueLayout.JAVA_BYTE, at + HEADER, pixels, 0, pixels.length);
        return new Image(height, width, channels, pixels);
    }

    private void write(int index, Image image) {
        long bytes = Math.ceilDiv(HEADER + (long) image.pixels().length, ALIGNMENT) * ALIGNMENT;
        long place = place(bytes);
        if (place == OUTSIDE) {
            return;
        }
        MemorySegment chunk = chunk(place);
        long at = place % CHUNK;
        chunk.set(ValueLayout.JAVA_INT, at, image.height());
        chunk.set(ValueLayout.JAVA_INT, at + 4, image.width());
        chunk.set(ValueLayout.JAVA_INT, at + 8, image.channels());
        MemorySegment.copy(image.pixels(), 0, chunk, ValueLayout.JAVA_BYTE, at + HEADER, image.pixels().length);
        kept.addAndGet(bytes);
        places.set(index, place + 1);
    }

    /** Room for an image, in one chunk. */
    private long place(long bytes) {
        if (bytes > CHUNK) {
            return OUTSIDE;
        }
        while (true) {
            long before = used.get();
            long place = before % CHUNK + bytes > CHUNK ? Math.ceilDiv(before, CHUNK) * CHUNK : before;
            if (place + bytes > room) {
                return OUTSIDE;
            }
            if (used.compareAndSet(before, place + bytes)) {
                return place;
            }
        }
    }

    @Override
    public String name() {
        return set.name();
    }

    @Override
    public List<String> classes() {
        return set.classes();
    }

    @Override
    public int size() {
        return set.size();
    }

    @Override
    public int channels() {
        return set.channels();
    }

    @Override
    public int label(int index) {
        return set.label(index);
    }

    @Override
    public Optional<Size> uniformSize() {
        return set.uniformSize();
    }

    @Override
    public String describe(int index) {
        return set.describe(index);
    }

    @Override
    public String fingerprint() {
        return set.fingerprint();
    }

    @Override
    public int[] shards() {
        return set.shards();
    }

    @Override
    public Optional<Normalization> normalization() {
        return set.normalization();
    }

    /** Frees the memory: the loaders that read this set must be closed first. */
    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
