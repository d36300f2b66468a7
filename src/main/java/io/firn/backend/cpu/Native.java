package io.firn.backend.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Single numbers and bytes at raw addresses. */
final class Native {
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;

    private Native() {
    }

    static float getFloat(long address) {
        return Simd.MEMORY.get(FLOAT, address);
    }

    static void putFloat(long address, float x) {
        Simd.MEMORY.set(FLOAT, address, x);
    }

    static int getInt(long address) {
        return Simd.MEMORY.get(INT, address);
    }

    static short getShort(long address) {
        return Simd.MEMORY.get(SHORT, address);
    }

    static void putShort(long address, short x) {
        Simd.MEMORY.set(SHORT, address, x);
    }

    static int getByte(long address) {
        return Simd.MEMORY.get(ValueLayout.JAVA_BYTE, address) & 0xFF;
    }

    static void copy(long from, long to, long bytes) {
        MemorySegment.copy(Simd.MEMORY, from, Simd.MEMORY, to, bytes);
    }

    static void zero(long address, long bytes) {
        Simd.MEMORY.asSlice(address, bytes).fill((byte) 0);
    }
}
