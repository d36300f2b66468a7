package io.firn.data;

import java.lang.foreign.MemorySegment;

/**
 * The memory of one batch, which lies in a loader's ring and is filled again and again.
 *
 * @param images  batch x height x width x channels bytes
 * @param labels  a slot each
 * @param indices a slot each
 */
record BatchBuffer(MemorySegment images, int[] labels, int[] indices) {
    BatchBuffer(MemorySegment images, int batch) {
        this(images, new int[batch], new int[batch]);
    }
}
