package io.firn.plan;

/**
 * The device that a plan is made for, as data: it need not be present.
 *
 * @param name {@code cpu}, or a GPU's such as {@code h100}
 */
public record Target(String name, Device device, Rates rates) {

    /** What the device is made of, as far as planning asks. */
    public sealed interface Device {

        /** For people. */
        String describe();

        /**
         * A processor.
         *
         * @param threads      that compute
         * @param instructions what it has, such as {@code avx512_core_bf16}
         */
        record Cpu(int threads, String instructions) implements Device {
            @Override
            public String describe() {
                return "%d threads, %s".formatted(threads, instructions);
            }
        }

        /**
         * A GPU.
         *
         * @param product           the vendor's name
         * @param computeCapability such as 90 for 9.0
         * @param multiprocessors   how many
         * @param memory            bytes
         * @param properties        what cuDNN is told of a device that is not there, a JSON document
         */
        record Gpu(String product, int computeCapability, int multiprocessors, long memory, String properties)
                implements Device {
            @Override
            public String describe() {
                return "%s, sm_%d, %d multiprocessors".formatted(product, computeCapability, multiprocessors);
            }
        }
    }

    /**
     * What it reaches with large operands: peaks times the share of them that is reached.
     *
     * @param fp32          floating-point operations a second of a matrix product of f32
     * @param tf32          the same where f32 is rounded to tf32
     * @param half          the same in bf16 or fp16
     * @param vector        operations a second of convolutions by channel, which matrix units do not do
     * @param bandwidth     bytes a second that a large copy moves, reads and writes counted
     * @param launchSeconds fixed cost of one launch
     * @param source        where the numbers come from: measured or stated by whom, and what shares are assumed
     */
    public record Rates(double fp32, double tf32, double half, double vector, double bandwidth, double launchSeconds,
                        String source) {

        /** Operations a second of products in this precision. */
        public double flops(Precision p) {
            return switch (p) {
                case FP32 -> fp32;
                case TF32 -> tf32;
                case BF16, FP16 -> half;
            };
        }
    }

    /**
     * A processor as a target.
     *
     * @param flops32 operations a second of a large f32 matrix product
     * @param flops16 the same in bf16
     */
    public static Target cpu(int threads, String instructions, double flops32, double flops16, double bandwidth,
                             double launchSeconds) {
        return new Target("cpu", new Device.Cpu(threads, instructions),
                new Rates(flops32, flops32, flops16, flops32, bandwidth, launchSeconds, "stated"));
    }
}
