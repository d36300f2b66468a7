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
    private static final long EMPTY = 0;
    /** Being written, or known not to fit. */
    private static final long OUTSIDE = -1;

    private final Dataset set;
    private final int side;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment memory;
    /** Behind which byte each image begins, plus one. */
    private final AtomicLongArray places;
    private final AtomicLong used = new AtomicLong();

    /**
     * A cache in memory, or in a file that is mapped into it and whose name is gone at once.
     *
     * @param side   what the shorter side becomes where it is longer; 0 keeps images as they are
     * @param bytes  room for images; less is taken where the set needs less
     * @param folder where the file is made; empty for memory
     * @throws UserError where there is no such room
     */
    public ImageCache(Dataset set, int side, long bytes, Optional<Path> folder) {
        this.set = set;
        this.side = side;
        places = new AtomicLongArray(set.size());
        try {
            memory = folder.isEmpty() ? arena.allocate(bytes, ALIGNMENT) : map(folder.get(), bytes);
        } catch (OutOfMemoryError | IllegalArgumentException e) {
            arena.close();
            throw UserError.memory("--image-cache: there are no %,d bytes: give less, or a folder by --image-cache-folder", bytes).causedBy(e);
        } catch (IOException e) {
            arena.close();
            throw UserError.other("--image-cache-folder %s: no file of %,d bytes can be made there: %s", folder.get(), bytes,
                    e.getMessage()).causedBy(e);
        }
    }

    private MemorySegment map(Path folder, long bytes) throws IOException {
        Path file = Files.createTempFile(folder, ".firn-images-", null);
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            if (Files.getFileStore(file).getUsableSpace() < bytes) {
                throw new IOException("the disk has %,d bytes left".formatted(Files.getFileStore(file).getUsableSpace()));
            }
            return channel.map(FileChannel.MapMode.READ_WRITE, 0, bytes, arena);
        } finally {
            Files.delete(file);
        }
    }

    /** Bytes of images that are kept so far. */
    public long bytes() {
        return used.get();
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

    private Image read(long at) {
        int height = memory.get(ValueLayout.JAVA_INT, at);
        int width = memory.get(ValueLayout.JAVA_INT, at + 4);
        int channels = memory.get(ValueLayout.JAVA_INT, at + 8);
        byte[] pixels = new byte[height * width * channels];
        MemorySegment.copy(memory, ValueLayout.JAVA_BYTE, at + HEADER, pixels, 0, pixels.length);
        return new Image(height, width, channels, pixels);
    }

    private void write(int index, Image image) {
        long bytes = Math.ceilDiv(HEADER + (long) image.pixels().length, ALIGNMENT) * ALIGNMENT;
        long at = used.getAndUpdate(before -> before + bytes > memory.byteSize() ? before : before + bytes);
        if (at + bytes > memory.byteSize()) {
            return;
        }
        memory.set(ValueLayout.JAVA_INT, at, image.height());
        memory.set(ValueLayout.JAVA_INT, at + 4, image.width());
        memory.set(ValueLayout.JAVA_INT, at + 8, image.channels());
        MemorySegment.copy(image.pixels(), 0, memory, ValueLayout.JAVA_BYTE, at + HEADER, image.pixels().length);
        places.set(index, at + 1);
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
