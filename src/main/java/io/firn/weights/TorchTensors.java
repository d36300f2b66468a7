package io.firn.weights;

import static io.firn.weights.Malformed.quote;

import io.firn.graph.Shape;
import io.firn.weights.Pickled.Storage;
import io.firn.weights.Pickled.View;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ReadableByteChannel;
import java.util.List;

/**
 * Turns views of a file's storages into tensors: row-major and f32, whatever their strides and type were. What a view
 * claims is held against its storage, and all of them together against the file, before anything is allocated.
 */
final class TorchTensors {
    static final int MAX_RANK = 8;
    private static final int CHUNK = 1 << 20;

    private final Source source;
    private long elementsLeft;

    /** Where storages are read from. */
    @FunctionalInterface
    interface Source {
        /**
         * The bytes of a storage from {@code skip} on; valid until the next call, and closed by whoever closes the file.
         *
         * @throws Malformed where the file has no storage of that key and so many bytes
         */
        ReadableByteChannel open(String key, long bytes, long skip) throws IOException;
    }

    /** @param fileSize each element that is read has at least a byte in the file; views that share them are few */
    TorchTensors(Source source, long fileSize) {
        this.source = source;
        this.elementsLeft = fileSize;
    }

    Tensor read(String name, View view) throws IOException {
        Element element = element(name, view.storage);
        Shape shape = shape(name, view);
        int elements = elements(name, shape, view);
        int span = span(name, shape, view);
        elementsLeft -= Math.max(elements, span);
        if (elementsLeft < 0) {
            throw new Malformed("tensor %s: the tensors claim more numbers than the file has bytes", quote(name));
        }
        long bytes = view.storage.elements * element.bytes();
        float[] data = read(source.open(view.storage.key, bytes, view.offset * element.bytes()), element, span);
        return new Tensor(shape, isRowMajor(shape, view.strides) ? data : gather(data, shape, view.strides, elements));
    }

    private static Element element(String name, Storage s) throws Malformed {
        Element element = switch (s.type.substring(s.type.lastIndexOf('.') + 1)) {
            case "FloatStorage" -> Element.F32;
            case "HalfStorage" -> Element.F16;
            case "BFloat16Storage" -> Element.BF16;
            case "DoubleStorage" -> Element.F64;
            case "LongStorage" -> Element.I64;
            default -> throw new Malformed("tensor %s is of %s, which is none of Float, Half, BFloat16, Double, Long",
                    quote(name), quote(s.type));
        };
        if (s.elements < 0 || s.elements > Long.MAX_VALUE / 8) {
            throw new Malformed("tensor %s lies in a storage of %d elements", quote(name), s.elements);
        }
        return element;
    }

    private static Shape shape(String name, View view) throws Malformed {
        List<Long> sizes = view.sizes;
        if (sizes.size() != view.strides.size() || sizes.size() > MAX_RANK) {
            throw new Malformed("tensor %s has sizes %s and strides %s", quote(name), sizes, view.strides);
        }
        if (sizes.stream().anyMatch(d -> d < 1 || d > Integer.MAX_VALUE)) {
            throw new Malformed("tensor %s of shape %s is empty or too large", quote(name), sizes);
        }
        return new Shape(sizes.stream().map(Long::intValue).toList());
    }

    private static int elements(String name, Shape shape, View view) throws Malformed {
        long n = 1;
        for (int d : shape.dims()) {
            n *= d;
            if (n > Integer.MAX_VALUE - 8) {
                throw new Malformed("tensor %s of shape %s is too large", quote(name), view.sizes);
            }
        }
        return (int) n;
    }

    /** Elements from the view's first to its last, which the storage has. */
    private static int span(String name, Shape shape, View view) throws Malformed {
        long last = view.offset;
        boolean fits = last >= 0 && last < view.storage.elements;
        for (int i = 0; fits && i < shape.rank(); i++) {
            long stride = view.strides.get(i);
            fits = stride >= 0 && (stride == 0 || shape.dim(i) - 1 <= (view.storage.elements - 1 - last) / stride);
            last += (shape.dim(i) - 1) * stride;
        }
        if (!fits || last - view.offset > Integer.MAX_VALUE - 9) {
            throw new Malformed("tensor %s of shape %s, strides %s and offset %d does not fit its storage of %d elements",
                    quote(name), view.sizes, view.strides, view.offset, view.storage.elements);
        }
        return (int) (last - view.offset + 1);
    }

    private static float[] read(ReadableByteChannel in, Element element, int count) throws IOException {
        float[] data = new float[count];
        ByteBuffer chunk = ByteBuffer.allocate((int) Math.min(CHUNK, (long) count * element.bytes()))
                .order(ByteOrder.LITTLE_ENDIAN);
        for (int done = 0; done < count; ) {
            int n = Math.min(count - done, chunk.capacity() / element.bytes());
            chunk.clear().limit(n * element.bytes());
            while (chunk.hasRemaining()) {
                if (in.read(chunk) < 0) {
                    throw new EOFException("the file ends early");
                }
            }
            chunk.flip();
            for (int i = 0; i < n; i++) {
                data[done++] = element.read(chunk);
            }
        }
        return data;
    }

    private static boolean isRowMajor(Shape shape, List<Long> strides) {
        long expected = 1;
        for (int i = shape.rank() - 1; i >= 0; i--) {
            if (shape.dim(i) != 1 && strides.get(i) != expected) {
                return false;
            }
            expected *= shape.dim(i);
        }
        return true;
    }

    private static float[] gather(float[] span, Shape shape, List<Long> strides, int elements) {
        float[] data = new float[elements];
        int[] at = new int[shape.rank()];
        for (int i = 0; i < elements; i++) {
            int from = 0;
            for (int d = 0; d < at.length; d++) {
                from += (int) (at[d] * strides.get(d));
            }
            data[i] = span[from];
            for (int d = at.length - 1; d >= 0 && ++at[d] == shape.dim(d); d--) {
                at[d] = 0;
            }
        }
        return data;
    }
}
