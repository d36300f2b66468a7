package io.firn.weights;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.firn.error.UserError;
import io.firn.files.AtomicFile;
import io.firn.graph.Shape;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;
import java.util.TreeMap;
import java.util.function.Function;

/**
 * Weight files in the safetensors format: eight bytes with the header's length (little-endian), a JSON header, the
 * tensors' bytes. Files come from strangers: no claim of a header is believed before it was held against the file.
 */
public final class Safetensors {
    private static final int MAX_HEADER = 100_000_000;
    private static final int LENGTH_BYTES = 8;
    private static final int CHUNK = 1 << 20;
    private static final String ENDS_EARLY = "the file ends early";

    private Safetensors() {
    }

    /** Whether a file that begins so is meant to be one. */
    static boolean is(byte[] head) {
        if (head.length <= LENGTH_BYTES || head[LENGTH_BYTES] != '{') {
            return false;
        }
        long length = ByteBuffer.wrap(head).order(ByteOrder.LITTLE_ENDIAN).getLong();
        return 0 < length && length <= MAX_HEADER;
    }

    /**
     * Opens a file; F16, BF16, F64 and I64 tensors become f32. Only the header is read, and held against the file's size:
     * each tensor is read when its {@link Tensor#data} is asked for, which may throw the same errors. The file stays open
     * as long as a tensor of it is reachable, so that one that is replaced meanwhile is still read as it was.
     *
     * @throws UserError (data) naming the file and the tensor, where it is missing, truncated or damaged
     */
    public static Weights read(Path file) {
        // A pipe would be waited for, a device has no size.
        if (Files.exists(file) && !Files.isRegularFile(file)) {
            throw UserError.data("%s is no regular file", file);
        }
        return reading(file, () -> {
            // Closed by Java's cleaner once the last tensor is gone, and here where there will be none.
            FileChannel in = FileChannel.open(file, StandardOpenOption.READ);
            try {
                return open(file, in);
            } catch (IOException | RuntimeException | Error e) {
                in.close();
                throw e;
            }
        });
    }

    private static Weights open(Path file, FileChannel in) throws IOException {
        int length = headerLength(in);
        byte[] json = new byte[length];
        readFully(in, ByteBuffer.wrap(json), LENGTH_BYTES);
        long start = LENGTH_BYTES + length;
        SafetensorsHeader header = SafetensorsHeader.parse(json, in.size() - start);
        SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
        header.entries().forEach((name, e) -> tensors.put(name, new Tensor(e.shape(),
                () -> reading(file, () -> readData(in, start + e.begin(), e)))));
        return new Weights(tensors, header.metadata());
    }

    private interface Reading<T> {
        T read() throws IOException;
    }

    private static <T> T reading(Path file, Reading<T> reading) {
        try {
            return reading.read();
        } catch (Malformed e) {
            throw UserError.data("%s: %s", file, e.getMessage()).causedBy(e);
        } catch (JsonProcessingException e) {
            throw UserError.data("%s: the safetensors header is no valid JSON: %s", file,
                    Malformed.quote(e.getOriginalMessage())).causedBy(e);
        } catch (IOException e) {
            throw UserError.data("cannot read %s: %s", file, AtomicFile.reason(e)).causedBy(e);
        }
    }

    private static int headerLength(FileChannel in) throws IOException {
        if (in.size() < LENGTH_BYTES) {
            throw new Malformed("%d bytes are no safetensors file", in.size());
        }
        ByteBuffer eight = ByteBuffer.allocate(LENGTH_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        readFully(in, eight, 0);
        long length = eight.flip().getLong();
        if (length < 2 || length > in.size() - LENGTH_BYTES || length > MAX_HEADER) {
            throw new Malformed("a header of %s bytes in a file of %d: no safetensors file, or truncated",
                    Long.toUnsignedString(length), in.size());
        }
        return (int) length;
    }

    private static float[] readData(FileChannel in, long at, SafetensorsHeader.Entry entry) throws IOException {
        // Before the array is allocated: the file may have shrunk since its header was read.
        if (in.size() - at < entry.end() - entry.begin()) {
            throw new EOFException(ENDS_EARLY);
        }
        float[] data = new float[(int) entry.shape().elements()];
        Element element = entry.element();
        int size = (int) Math.min(CHUNK, (long) data.length * element.bytes());
        ByteBuffer chunk = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        int done = 0;
        while (done < data.length) {
            int n = Math.min(data.length - done, chunk.capacity() / element.bytes());
            readFully(in, chunk.clear().limit(n * element.bytes()), at + (long) done * element.bytes());
            chunk.flip();
            for (int i = 0; i < n; i++) {
                data[done + i] = element.read(chunk);
            }
            done += n;
        }
        return data;
    }

    private static void readFully(FileChannel in, ByteBuffer to, long at) throws IOException {
        for (long from = at; to.hasRemaining(); ) {
            int n = in.read(to, from);
            if (n < 0) {
                throw new EOFException(ENDS_EARLY);
            }
            from += n;
        }
    }

    /**
     * Replaces the file as a whole. Tensors are written as F32, in their order; each batch norm gets an I64 number of
     * batches after its statistics, 0 where {@code weights} has none.
     *
     * @throws UserError (other) naming the path, where it is unwritable or the disk full; the file is then as it was
     */
    public static void write(Path file, Weights weights) {
        write(file, weights, 0, false);
    }

    /** As {@link #write(Path, Weights)}, with {@code batches} as the number of batches of every batch norm. */
    public static void write(Path file, Weights weights, long batches) {
        write(file, weights, batches, true);
    }

    private static void write(Path file, Weights weights, long batches, boolean replace) {
        SequencedMap<String, Tensor> all = new LinkedHashMap<>(weights.tensors());
        if (replace) {
            all.replaceAll((name, t) -> isCount(name, t.shape()) ? Tensor.scalar(batches) : t);
        }
        SequencedMap<String, Shape> shapes = new LinkedHashMap<>();
        all.forEach((name, t) -> shapes.put(name, t.shape()));
        write(file, shapes, name -> all.get(name).data(), weights.metadata(), batches);
    }

    /**
     * As {@link #write(Path, Weights, long)}, for tensors that are not in memory all at once.
     *
     * @param shapes by name, in the file's order
     * @param data   asked for one tensor after the other; what it returned before may be overwritten
     */
    public static void write(Path file, SequencedMap<String, Shape> shapes, Function<String, float[]> data,
                             Map<String, String> metadata, long batches) {
        SequencedMap<String, Shape> all = withCounts(shapes);
        byte[] json = header(all, new TreeMap<>(metadata));
        AtomicFile.write(file, out -> {
            ByteBuffer chunk = ByteBuffer.allocateDirect(CHUNK).order(ByteOrder.LITTLE_ENDIAN);
            writeFully(out, chunk.clear().putLong(json.length).flip());
            writeFully(out, ByteBuffer.wrap(json));
            for (boolean counts : new boolean[]{true, false}) {
                for (Map.Entry<String, Shape> e : all.entrySet()) {
                    if (isCount(e.getKey(), e.getValue()) == counts) {
                        boolean given = shapes.containsKey(e.getKey());
                        writeData(out, chunk, given ? data.apply(e.getKey()) : new float[]{batches}, counts);
                    }
                }
            }
        });
    }

    private static SequencedMap<String, Shape> withCounts(SequencedMap<String, Shape> shapes) {
        SequencedMap<String, Shape> all = new LinkedHashMap<>();
        shapes.forEach((name, shape) -> {
            all.put(name, shape);
            if (name.endsWith(Weights.VARIANCE)) {
                String norm = name.substring(0, name.length() - Weights.VARIANCE.length());
                if (!shapes.containsKey(norm + Weights.COUNT)) {
                    all.put(norm + Weights.COUNT, Shape.SCALAR);
                }
            }
        });
        return all;
    }

    private static boolean isCount(String name, Shape shape) {
        return name.endsWith(Weights.COUNT) && shape.equals(Shape.SCALAR);
    }

    /** Counts come first in the data, so that every element is aligned to its size; the header keeps the order. */
    private static byte[] header(SequencedMap<String, Shape> tensors, Map<String, String> metadata) {
        ObjectNode root = new ObjectMapper().createObjectNode();
        if (!metadata.isEmpty()) {
            ObjectNode node = root.putObject(SafetensorsHeader.METADATA);
            metadata.forEach(node::put);
        }
        long count = 0;
        long other = 8 * tensors.entrySet().stream().filter(e -> isCount(e.getKey(), e.getValue())).count();
        for (Map.Entry<String, Shape> e : tensors.entrySet()) {
            boolean isCount = isCount(e.getKey(), e.getValue());
            long begin = isCount ? count : other;
            long end = begin + (isCount ? 8 : 4 * e.getValue().elements());
            count = isCount ? end : count;
            other = isCount ? other : end;
            ObjectNode node = root.putObject(e.getKey()).put("dtype", isCount ? "I64" : "F32");
            e.getValue().dims().forEach(node.withArray("shape")::add);
            node.putArray("data_offsets").add(begin).add(end);
        }
        String json = root.toString();
        int length = json.getBytes(StandardCharsets.UTF_8).length;
        return (json + " ".repeat(-length & 7)).getBytes(StandardCharsets.UTF_8);
    }

    private static void writeData(FileChannel out, ByteBuffer chunk, float[] data, boolean count) throws IOException {
        int size = count ? 8 : 4;
        for (int done = 0; done < data.length; done += CHUNK / size) {
            chunk.clear();
            for (int i = done; i < Math.min(data.length, done + CHUNK / size); i++) {
                if (count) {
                    chunk.putLong((long) data[i]);
                } else {
                    chunk.putFloat(data[i]);
                }
            }
            writeFully(out, chunk.flip());
        }
    }

    private static void writeFully(FileChannel out, ByteBuffer from) throws IOException {
        while (from.hasRemaining()) {
            out.write(from);
        }
    }
}
