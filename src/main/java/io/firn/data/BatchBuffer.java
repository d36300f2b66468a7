package io.firn.data;

import java.lang.foreign.MemorySegment;

/**
 * The memory of one batch, which lies in a loader's ring and is filled again and again.
 *
 * @param images  batch x height x width x channels bytes
 * @param labels  a slot each
 * @param indices a slot each
 * @param lambda  one number: the share of a mixed image's own label
 */
record BatchBuffer(MemorySegment images, int[] labels, int[] indices, double[] lambda) {
    BatchBuffer(MemorySegment images, int batch) {
        this(images, new int[batch], new int[batch], new double[1]);
    }
}
