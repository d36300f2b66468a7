package io.firn.plan;

import io.firn.graph.Type;

/** Where a value lies: a range of an arena. Offsets are in bytes and multiples of {@link #ALIGNMENT}. */
public record Buffer(Arena arena, long offset, Type type, Layout layout) {

    public static final long ALIGNMENT = 64;

    /** State outlives the step; scratch is shared by all plans of a program, and its content ends with the step. */
    public enum Arena { STATE, SCRATCH }

    public long bytes() {
        return layout.bytes(type);
    }

    public long end() {
        return offset + bytes();
    }

    public static long align(long bytes) {
        return Math.ceilDiv(bytes, ALIGNMENT) * ALIGNMENT;
    }
}
