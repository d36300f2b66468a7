package io.firn.study.schedule;

/**
 * Memory that devices share: a machine's for the parts of its processor, a GPU's own for the GPU.
 *
 * @param memory bytes that runs may use together
 */
public record Pool(String name, long memory) {
}
