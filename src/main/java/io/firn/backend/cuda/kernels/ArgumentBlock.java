package io.firn.backend.cuda.kernels;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.ToLongFunction;

/**
 * The bytes that a kernel is given, complete but for its pointers: one C struct, with C's alignment. Also the form of
 * tables in device memory. Immutable.
 */
public final class ArgumentBlock {
    /** No bytes at all. */
    public static final ArgumentBlock EMPTY = new Writer().done();

    private final byte[] bytes;
    private final List<Pointer> pointers;

    /** A pointer at {@code at} bytes from the block's start. */
    public record Pointer(int at, Operand to) {
    }

    private ArgumentBlock(byte[] bytes, List<Pointer> pointers) {
        this.bytes = bytes;
        this.pointers = List.copyOf(pointers);
    }

    public int size() {
        return bytes.length;
    }

    public List<Pointer> pointers() {
        return pointers;
    }

    /**
     * Writes the block with its pointers resolved.
     *
     * @param to      at least {@link #size} bytes
     * @param address where each operand lies
     */
    public void write(MemorySegment to, ToLongFunction<Operand> address) {
        MemorySegment.copy(bytes, 0, to, ValueLayout.JAVA_BYTE, 0, bytes.length);
        for (Pointer p : pointers) {
            to.set(ValueLayout.JAVA_LONG_UNALIGNED, p.at, address.applyAsLong(p.to));
        }
    }

    /** Puts a struct together field by field, each at a multiple of its size. */
    static final class Writer {
        private ByteBuffer buffer = ByteBuffer.allocate(256).order(ByteOrder.LITTLE_ENDIAN);
        private final List<Pointer> pointers = new ArrayList<>();

        Writer integer(int value) {
            room(Integer.BYTES).putInt(value);
            return this;
        }

        Writer real(float value) {
            room(Float.BYTES).putFloat(value);
            return this;
        }

        Writer pointer(Operand to) {
            ByteBuffer b = room(Long.BYTES);
            pointers.add(new Pointer(b.position(), to));
            b.putLong(0);
            return this;
        }

        /** A pointer that is null on the device too. */
        Writer nothing() {
            room(Long.BYTES).putLong(0);
            return this;
        }

        /** Pads to a multiple of 8, as an array's element of structs with pointers is. */
        Writer aligned() {
            buffer.position(Math.ceilDiv(buffer.position(), Long.BYTES) * Long.BYTES);
            return this;
        }

        private ByteBuffer room(int size) {
            int at = Math.ceilDiv(buffer.position(), size) * size;
            if (at + Long.BYTES > buffer.capacity()) {
                ByteBuffer larger = ByteBuffer.allocate(2 * buffer.capacity()).order(ByteOrder.LITTLE_ENDIAN);
                larger.put(buffer.flip());
                buffer = larger;
            }
            return buffer.position(at);
        }

        ArgumentBlock done() {
            aligned();
            return new ArgumentBlock(Arrays.copyOf(buffer.array(), buffer.position()), pointers);
        }
    }
}
