package io.firn.backend;

/**
 * What a device was measured to reach just now: the yardstick of {@code firn bench}. Unlike a target's rates these are no
 * part of any plan.
 *
 * @param flops32   floating-point operations a second of large f32 products
 * @param flops16   the same in bf16; where the device has no instructions for it, what f32 reaches
 * @param bandwidth bytes a second that a large copy moves, reads and writes counted
 */
public record Peaks(double flops32, double flops16, double bandwidth) {

    /**
     * The least time that work can take, by the roofline (Williams et al. 2009): the larger of its arithmetic and its
     * memory traffic.
     *
     * @param bf16 whether the products are in bf16
     */
    public double seconds(long flops, long bytes, boolean bf16) {
        return Math.max(flops / (bf16 ? flops16 : flops32), bytes / bandwidth);
    }
}
