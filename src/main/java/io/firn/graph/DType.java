package io.firn.graph;

/** Element types of tensors, with the rounding that storing a real number in each one does. */
public enum DType {
    F32(4), BF16(2), F16(2), U8(1), I32(4);

    private final int bytes;

    DType(int bytes) {
        this.bytes = bytes;
    }

    public int bytes() {
        return bytes;
    }

    public boolean isFloat() {
        return this == F32 || this == BF16 || this == F16;
    }

    /** The value that is read back after {@code x} was stored in this type (round to nearest, ties to even). */
    public double round(double x) {
        return switch (this) {
            case F32 -> (float) x;
            case BF16 -> bf16ToFloat(floatToBf16((float) x));
            case F16 -> Float.float16ToFloat(Float.floatToFloat16((float) x));
            case U8 -> (int) x & 0xFF;
            case I32 -> (int) x;
        };
    }

    /** The upper half of the float's bits, rounded to nearest even; NaN stays NaN. */
    public static short floatToBf16(float f) {
        int bits = Float.floatToRawIntBits(f);
        if (Float.isNaN(f)) {
            return (short) (bits >>> 16 | 0x40);
        }
        return (short) (bits + 0x7FFF + (bits >>> 16 & 1) >>> 16);
    }

    public static float bf16ToFloat(short b) {
        return Float.intBitsToFloat(b << 16);
    }
}
