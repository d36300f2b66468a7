package io.firn.backend.cpu;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * The few vector primitives that all kernels share: loads and stores of f32 and bf16 at raw addresses, and the
 * logistic function. Vectors have {@link #LANES} floats, at most the 16 channels of a block.
 */
final class Simd {
    static final VectorSpecies<Float> F = FloatVector.SPECIES_PREFERRED.length() > 16 ? FloatVector.SPECIES_512
            : FloatVector.SPECIES_PREFERRED;
    static final int LANES = F.length();
    static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, F.vectorShape());
    static final VectorSpecies<Short> S = VectorSpecies.of(short.class, VectorShape.forBitSize(F.vectorBitSize() / 2));
    /** All of memory: the arena checks bounds when a plan is loaded, not at every access. */
    @SuppressWarnings("restricted")
    static final MemorySegment MEMORY = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);
    static final ByteOrder ORDER = ByteOrder.nativeOrder();

    /*
     * The compiler inlines only so much of the Vector API into one loop (15 levels, 18 000 nodes), and beyond it every
     * vector becomes an object, a hundred times slower. Hence constants are vectors, since the methods that take a
     * number nest deeper; but shifts are by numbers, since by vectors they mask; and bf16 is sign-extended, since zero
     * extension takes twice the nodes.
     */
    static final FloatVector ZERO = FloatVector.zero(F);
    static final FloatVector ONE = of(1f);
    private static final FloatVector MINUS_LOG2_E = of(-1.44269504f);
    /** What that constant's rounding lost: -1.9260e-08. */
    private static final FloatVector LOG2_E_REST = of((float) (1.44269504f - 1 / Math.log(2)));
    private static final FloatVector ROUNDER = of(0x1.8p23f + 127f);
    /**
     * 2^f for |f| up to a half: the polynomial with the least relative error, 3e-9, among those with 1 at 0. Degree 5
     * would be as good as a rounding, but leave a bias of 2e-8 that many layers add up.
     */
    private static final FloatVector P1 = of(0.6931472f);
    private static final FloatVector P2 = of(0.24022648f);
    private static final FloatVector P3 = of(0.0555036f);
    private static final FloatVector P4 = of(0.009618506f);
    private static final FloatVector P5 = of(0.0013390806f);
    private static final FloatVector P6 = of(0.00015326477f);
    /** The best of degree 3, 7.5e-5: a fiftieth of what rounding to bf16 loses. */
    private static final FloatVector R0 = of(0.99992806f);
    private static final FloatVector R1 = of(0.69326097f);
    private static final FloatVector R2 = of(0.24261113f);
    private static final FloatVector R3 = of(0.05517167f);
    private static final IntVector LEAST = IntVector.broadcast(I, Float.floatToRawIntBits(0x1.8p23f) + 1);
    private static final IntVector MOST = IntVector.broadcast(I, Float.floatToRawIntBits(0x1.8p23f) + 254);
    static final IntVector INT_ONE = IntVector.broadcast(I, 1);
    static final IntVector HALF_UNIT = IntVector.broadcast(I, 0x7FFF);

    private Simd() {
    }

    static FloatVector of(float x) {
        return FloatVector.broadcast(F, x);
    }

    static FloatVector load(long address) {
        return FloatVector.fromMemorySegment(F, MEMORY, address, ORDER);
    }

    static FloatVector loadBf16(long address) {
        return widen(ShortVector.fromMemorySegment(S, MEMORY, address, ORDER));
    }

    /** The first {@code lanes} floats; the other lanes are zero and their memory is not touched. */
    static FloatVector loadPart(long address, int lanes, boolean bf16) {
        if (bf16) {
            return widen(ShortVector.fromMemorySegment(S, MEMORY, address, ORDER, S.indexInRange(0, lanes)));
        }
        return FloatVector.fromMemorySegment(F, MEMORY, address, ORDER, F.indexInRange(0, lanes));
    }

    static void store(FloatVector v, long address) {
        v.intoMemorySegment(MEMORY, address, ORDER);
    }

    static void storePart(FloatVector v, long address, int lanes, boolean bf16) {
        if (bf16) {
            narrow(v).intoMemorySegment(MEMORY, address, ORDER, S.indexInRange(0, lanes));
        } else {
            v.intoMemorySegment(MEMORY, address, ORDER, F.indexInRange(0, lanes));
        }
    }

    private static FloatVector widen(ShortVector s) {
        return ((IntVector) s.convertShape(VectorOperators.S2I, I, 0)).lanewise(VectorOperators.LSHL, 16)
                .reinterpretAsFloats();
    }

    /**
     * Rounds to nearest even by adding half a unit, less one where the kept part is even. NaN stays NaN, but for those
     * that no arithmetic makes: an upper half of 0x7FFF or 0xFFFF with half a unit or more below it.
     */
    private static ShortVector narrow(FloatVector v) {
        return (ShortVector) rounded(v.reinterpretAsInts()).lanewise(VectorOperators.LSHR, 16)
                .convertShape(VectorOperators.I2S, S, 0);
    }

    /* Apart, since the compiler inlines methods of up to 35 bytes where it thinks that they are called seldom. */
    private static IntVector rounded(IntVector bits) {
        return bits.lanewise(VectorOperators.ADD, bits.lanewise(VectorOperators.LSHR, 16)
                .lanewise(VectorOperators.AND, INT_ONE).lanewise(VectorOperators.ADD, HALF_UNIT));
    }

    /** max(x, 0) as a comparison: Java's own maximum orders zeros and NaN with four more instructions. */
    static FloatVector relu(FloatVector x) {
        return x.blend(ZERO, x.compare(VectorOperators.LT, ZERO));
    }

    /**
     * σ(x) = 1 / (1 + 2^t) with t = -x log₂e, to 4 units in the last place; NaN stays NaN, infinities become it, and
     * beyond 1e15 the result means nothing. Adding 1.5 · 2²³ + 127 rounds t to n and leaves n + 127, held to 1 … 254, in
     * the low bits, from where it moves to the exponent's place; a polynomial takes the rest.
     *
     * @param rough whether an error of 1e-4 will do
     */
    static FloatVector sigmoid(FloatVector x, boolean rough) {
        FloatVector shifted = x.fma(MINUS_LOG2_E, ROUNDER);
        FloatVector f = x.fma(MINUS_LOG2_E, ROUNDER.sub(shifted));
        f = rough ? f : x.fma(LOG2_E_REST, f);
        FloatVector p = rough ? f.fma(R3, R2).fma(f, R1).fma(f, R0)
                : f.fma(P6, P5).fma(f, P4).fma(f, P3).fma(f, P2).fma(f, P1).fma(f, ONE);
        FloatVector power = shifted.reinterpretAsInts().lanewise(VectorOperators.MAX, LEAST)
                .lanewise(VectorOperators.MIN, MOST).lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats();
        return ONE.div(p.fma(power, ONE));
    }
}
