package io.firn.backend.cpu;

import static io.firn.backend.cpu.Simd.F;
import static io.firn.backend.cpu.Simd.HALF_UNIT;
import static io.firn.backend.cpu.Simd.I;
import static io.firn.backend.cpu.Simd.INT_ONE;
import static io.firn.backend.cpu.Simd.MEMORY;
import static io.firn.backend.cpu.Simd.ONE;
import static io.firn.backend.cpu.Simd.ORDER;
import static io.firn.backend.cpu.Simd.S;
import static io.firn.backend.cpu.Simd.ZERO;
import static jdk.incubator.vector.VectorOperators.ADD;
import static jdk.incubator.vector.VectorOperators.AND;
import static jdk.incubator.vector.VectorOperators.I2S;
import static jdk.incubator.vector.VectorOperators.LE;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.S2I;

import io.firn.backend.cpu.Loop.Function;
import io.firn.backend.cpu.Loop.Kind;
import io.firn.backend.cpu.Loop.Reduce;
import java.lang.invoke.MethodHandles;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/**
 * The template of all strip loops: {@link Loop} defines a hidden copy of this class for each kind.
 *
 * <p>Loads and stores are written out, since Java's optimizing compiler refuses to inline methods of ours where the
 * profile that all loops share says that they are seldom called (a store of bf16, after much f32), and anywhere once a
 * loop has 18 000 nodes; the Vector API's own methods it inlines always. A single one that is called makes an object of
 * every vector.
 */
final class StripLoop implements Loop {
    private static final Kind KIND = kind();
    private static final int TERMS = KIND.terms();
    private static final Function FUNCTION = KIND.function();
    /** Asked for here, since an enum's ordinal is no constant to the compiler. */
    private static final boolean GRADIENT = FUNCTION.isGradient();
    private static final int SAVED_TERMS = KIND.saved();
    private static final boolean HAS_EXTRA = KIND.extra();
    /** What comes from bf16 is worth no exact sigmoid. */
    private static final boolean ROUGH = FUNCTION != Function.NONE && KIND.half(GRADIENT ? SAVED : 0);
    private static final boolean EXTRA_IS_SAVED = KIND.extraIsSaved();
    private static final boolean TAIL = KIND.tail();
    private static final Reduce REDUCE = KIND.reduce();
    private static final boolean STORE_U = KIND.storeU();
    private static final boolean STORE_W = KIND.storeW();
    private static final boolean HALF_B0 = KIND.half(0);
    private static final boolean HALF_B1 = KIND.half(1);
    private static final boolean HALF_B2 = KIND.half(2);
    private static final boolean HALF_C0 = KIND.half(SAVED);
    private static final boolean HALF_C1 = KIND.half(SAVED + 1);
    private static final boolean HALF_E = KIND.half(EXTRA);
    private static final boolean HALF_U = KIND.half(U);
    private static final boolean HALF_W = KIND.half(W);

    private static Kind kind() {
        try {
            return MethodHandles.classData(MethodHandles.lookup(), "_", Kind.class);
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(e);
        }
    }

    private static long stride(Frame f, Step step, int operand) {
        if (KIND.dense()) {
            return KIND.half(operand) ? Frame.VECTOR / 2 : Frame.VECTOR;
        }
        return present(operand) ? f.stride[step.slots()[operand]] : 0;
    }

    private static long address(Frame f, Step step, int operand) {
        return present(operand) ? f.address[step.slots()[operand]] : 0;
    }

    private static boolean present(int operand) {
        return switch (operand) {
            case U -> STORE_U;
            case W -> STORE_W;
            case EXTRA -> HAS_EXTRA && !EXTRA_IS_SAVED;
            default -> operand < SAVED ? operand < TERMS : operand - SAVED < SAVED_TERMS;
        };
    }

    private static FloatVector coefficient(Frame f, Step step, int which, boolean present) {
        return present ? FloatVector.fromArray(F, f.coefficients, f.offset + step.coefficients()[which]) : ZERO;
    }

    @Override
    public void run(Frame f, Step step, int pixels) {
        long b0 = address(f, step, 0), b1 = address(f, step, 1), b2 = address(f, step, 2);
        long c0 = address(f, step, SAVED), c1 = address(f, step, SAVED + 1);
        long e = address(f, step, EXTRA), au = address(f, step, U), aw = address(f, step, W);
        long b0s = stride(f, step, 0), b1s = stride(f, step, 1), b2s = stride(f, step, 2);
        long c0s = stride(f, step, SAVED), c1s = stride(f, step, SAVED + 1);
        long es = stride(f, step, EXTRA), aus = stride(f, step, U), aws = stride(f, step, W);
        FloatVector m0 = coefficient(f, step, Step.M, TERMS > 0);
        FloatVector m1 = coefficient(f, step, Step.M + 1, TERMS > 1);
        FloatVector m2 = coefficient(f, step, Step.M + 2, TERMS > 2);
        FloatVector s = coefficient(f, step, Step.S, true);
        FloatVector n0 = coefficient(f, step, Step.N, SAVED_TERMS > 0);
        FloatVector n1 = coefficient(f, step, Step.N + 1, SAVED_TERMS > 1);
        FloatVector v = coefficient(f, step, Step.V, SAVED_TERMS > 0);
        FloatVector k1 = coefficient(f, step, Step.K1, TAIL);
        FloatVector k2 = coefficient(f, step, Step.K2, HAS_EXTRA);
        FloatVector k3 = coefficient(f, step, Step.K3, TAIL || REDUCE == Reduce.PRODUCT);
        FloatVector pivot = coefficient(f, step, Step.PIVOT, REDUCE == Reduce.MOMENTS);
        FloatVector mask = coefficient(f, step, Step.MASK, FUNCTION == Function.SIGMOID);
        FloatVector sum0 = FloatVector.zero(F);
        FloatVector sum1 = FloatVector.zero(F);
        for (int i = 0; i < pixels; i++) {
            FloatVector z = v;
            FloatVector q = k3;
            FloatVector sigma = null;
            if (SAVED_TERMS > 0) {
                FloatVector c = HALF_C0 ? ((IntVector) ShortVector.fromMemorySegment(S, MEMORY, c0 + i * c0s, ORDER)
                        .convertShape(S2I, I, 0)).lanewise(LSHL, 16).reinterpretAsFloats()
                        : FloatVector.fromMemorySegment(F, MEMORY, c0 + i * c0s, ORDER);
                z = c.fma(n0, z);
                q = EXTRA_IS_SAVED ? c.fma(k2, q) : q;
            }
            if (SAVED_TERMS > 1) {
                FloatVector x = HALF_C1 ? ((IntVector) ShortVector.fromMemorySegment(S, MEMORY, c1 + i * c1s, ORDER)
                        .convertShape(S2I, I, 0)).lanewise(LSHL, 16).reinterpretAsFloats()
                        : FloatVector.fromMemorySegment(F, MEMORY, c1 + i * c1s, ORDER);
                z = x.fma(n1, z);
            }
            if (FUNCTION == Function.SILU_GRAD) {
                sigma = Simd.sigmoid(z, ROUGH);
            }
            FloatVector u = s;
            if (TERMS > 0) {
                FloatVector x = HALF_B0 ? ((IntVector) ShortVector.fromMemorySegment(S, MEMORY, b0 + i * b0s, ORDER)
                        .convertShape(S2I, I, 0)).lanewise(LSHL, 16).reinterpretAsFloats()
                        : FloatVector.fromMemorySegment(F, MEMORY, b0 + i * b0s, ORDER);
                u = x.fma(m0, u);
            }
            if (TERMS > 1) {
                FloatVector x = HALF_B1 ? ((IntVector) ShortVector.fromMemorySegment(S, MEMORY, b1 + i * b1s, ORDER)
                        .convertShape(S2I, I, 0)).lanewise(LSHL, 16).reinterpretAsFloats()
                        : FloatVector.fromMemorySegment(F, MEMORY, b1 + i * b1s, ORDER);
                u = x.fma(m1, u);
            }
            if (TERMS > 2) {
                FloatVector x = HALF_B2 ? ((IntVector) ShortVector.fromMemorySegment(S, MEMORY, b2 + i * b2s, ORDER)
                        .convertShape(S2I, I, 0)).lanewise(LSHL, 16).reinterpretAsFloats()
                        : FloatVector.fromMemorySegment(F, MEMORY, b2 + i * b2s, ORDER);
                u = x.fma(m2, u);
            }
            if (FUNCTION == Function.RELU) {
                u = Simd.relu(u);
            } else if (FUNCTION == Function.SILU) {
                u = u.mul(Simd.sigmoid(u, ROUGH));
            } else if (FUNCTION == Function.SIGMOID) {
                u = Simd.sigmoid(u, ROUGH).mul(mask);
            } else if (FUNCTION == Function.RELU_GRAD) {
                // ReLU's derivative from either end, since both have one sign; SiLU's from its input.
                u = u.blend(ZERO, z.compare(LE, ZERO));
            } else if (FUNCTION == Function.SILU_GRAD) {
                u = u.mul(sigma).mul(z.fma(ONE.sub(sigma), ONE));
            } else if (FUNCTION == Function.SIGMOID_GRAD) {
                u = u.mul(z).mul(ONE.sub(z));
            }
            if (HAS_EXTRA && !EXTRA_IS_SAVED) {
                FloatVector x = HALF_E ? ((IntVector) ShortVector.fromMemorySegment(S, MEMORY, e + i * es, ORDER)
                        .convertShape(S2I, I, 0)).lanewise(LSHL, 16).reinterpretAsFloats()
                        : FloatVector.fromMemorySegment(F, MEMORY, e + i * es, ORDER);
                q = x.fma(k2, q);
            }
            // Only now, since a result may lie on any operand.
            if (STORE_U) {
                if (HALF_U) {
                    IntVector b = u.reinterpretAsInts();
                    b.lanewise(ADD, b.lanewise(LSHR, 16).lanewise(AND, INT_ONE).lanewise(ADD, HALF_UNIT)).lanewise(LSHR, 16)
                            .convertShape(I2S, S, 0).intoMemorySegment(MEMORY, au + i * aus, ORDER);
                } else {
                    u.intoMemorySegment(MEMORY, au + i * aus, ORDER);
                }
            }
            FloatVector r = TAIL ? u.fma(k1, q) : u;
            if (STORE_W) {
                if (HALF_W) {
                    IntVector b = r.reinterpretAsInts();
                    b.lanewise(ADD, b.lanewise(LSHR, 16).lanewise(AND, INT_ONE).lanewise(ADD, HALF_UNIT)).lanewise(LSHR, 16)
                            .convertShape(I2S, S, 0).intoMemorySegment(MEMORY, aw + i * aws, ORDER);
                } else {
                    r.intoMemorySegment(MEMORY, aw + i * aws, ORDER);
                }
            }
            if (REDUCE == Reduce.SUM) {
                sum0 = sum0.add(r);
            } else if (REDUCE == Reduce.MOMENTS) {
                FloatVector d = r.sub(pivot);
                sum0 = sum0.add(d);
                sum1 = d.fma(d, sum1);
            } else if (REDUCE == Reduce.PRODUCT) {
                sum0 = sum0.add(u);
                sum1 = u.fma(q, sum1);
            }
        }
        if (REDUCE != Reduce.NONE) {
            sum0.intoArray(f.sums, 0);
            sum1.intoArray(f.sums, 16);
        }
    }
}
