package io.firn.weights;

import static io.firn.weights.Malformed.quote;

import io.firn.weights.Pickled.Sequence;
import io.firn.weights.Pickled.Storage;
import io.firn.weights.Pickled.Text;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.util.HashMap;
import java.util.Map;

/**
 * PyTorch's first format (before 1.6, and {@code _use_new_zipfile_serialization=False} since): five pickles, which are a
 * magic number, the version, sizes of the writer's machine, the value and the keys of its storages; then for each key, in
 * this order, the number of its elements (eight bytes, little-endian) and the elements.
 *
 * @param value  the fourth pickle
 * @param places where storages are, by key
 */
record TorchStream(Pickled value, Map<String, Place> places) {

    /** Bytes of a storage, from the file's begin. */
    record Place(long at, long bytes) {
    }

    /**
     * Reads all but the elements.
     *
     * @param begin the file's begin, as far as its pickles may reach
     */
    static TorchStream read(FileChannel in, ByteBuffer begin) throws IOException {
        for (int before = 0; before < 3; before++) {
            Pickle.read(begin);
        }
        Map<String, Storage> storages = new HashMap<>();
        Pickled value = Pickle.read(begin, s -> storages.put(s.key, s));
        if (!(Pickle.read(begin) instanceof Sequence keys)) {
            throw new Malformed("it has no list of its storages");
        }
        Map<String, Place> places = new HashMap<>();
        long at = begin.position();
        for (Pickled key : keys.items) {
            if (!(key instanceof Text k) || !storages.containsKey(k.value)) {
                throw new Malformed("it lists a storage that no tensor has");
            }
            Storage s = storages.get(k.value);
            long elements = number(in, at, s);
            int size = bytes(s);
            at += Long.BYTES;
            if (elements < 0 || elements > (in.size() - at) / size) {
                throw new Malformed("storage %s claims %d elements, which the file has not: truncated or damaged",
                        quote(s.key), elements);
            }
            places.put(s.key, new Place(at, elements * size));
            at += elements * size;
        }
        return new TorchStream(value, places);
    }

    private static long number(FileChannel in, long at, Storage s) throws IOException {
        ByteBuffer number = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        while (number.hasRemaining()) {
            if (in.read(number, at + number.position()) < 0) {
                throw new Malformed("it ends before storage %s: truncated", quote(s.key));
            }
        }
        return number.flip().getLong();
    }

    /** Of an element, also of types that no weights have but that lie between those that do. */
    private static int bytes(Storage s) throws Malformed {
        return switch (s.type.substring(s.type.lastIndexOf('.') + 1)) {
            case "ByteStorage", "CharStorage", "BoolStorage" -> 1;
            case "HalfStorage", "BFloat16Storage", "ShortStorage" -> 2;
            case "FloatStorage", "IntStorage" -> 4;
            case "DoubleStorage", "LongStorage", "ComplexFloatStorage" -> 8;
            case "ComplexDoubleStorage" -> 16;
            default -> throw new Malformed("storage %s is of the unknown type %s", quote(s.key), quote(s.type));
        };
    }
}
