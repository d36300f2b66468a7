package io.firn.backend.cpu;

import io.firn.backend.cpu.Loop.Function;
import io.firn.backend.cpu.Loop.Kind;
import io.firn.backend.cpu.Loop.Reduce;
import java.lang.invoke.MethodHandles;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/** The template of all strip loops: {@link Loop} defines a hidden copy of this class for each kind. */
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
        return present ? FloatVector.fromArray(Simd.F, f.coefficients, f.offset + step.coefficients()[which]) : Simd.ZERO;
    }

    private static FloatVector load(long address, int operand) {
        return KIND.half(operand) ? Simd.loadBf16(address) : Simd.load(address);
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
        FloatVector sum0 = FloatVector.zero(Simd.F);
        FloatVector sum1 = FloatVector.zero(Simd.F);
        for (int i = 0; i < pixels; i++) {
            FloatVector u = s;
            FloatVector shared = null;
            if (TERMS > 0) {
                u = load(b0 + i * b0s, 0).fma(m0, u);
            }
            if (TERMS > 1) {
                u = load(b1 + i * b1s, 1).fma(m1, u);
            }
            if (TERMS > 2) {
                u = load(b2 + i * b2s, 2).fma(m2, u);
            }
            if (FUNCTION == Function.RELU) {
                u = Simd.relu(u);
            } else if (FUNCTION == Function.SILU) {
                u = u.mul(Simd.sigmoid(u, ROUGH));
            } else if (FUNCTION == Function.SIGMOID) {
                u = Simd.sigmoid(u, ROUGH).mul(mask);
            } else if (GRADIENT) {
                shared = load(c0 + i * c0s, SAVED);
                FloatVector z = shared.fma(n0, v);
                if (SAVED_TERMS > 1) {
                    z = load(c1 + i * c1s, SAVED + 1).fma(n1, z);
                }
                // ReLU's derivative from either end, since both have one sign; SiLU's from its input.
                if (FUNCTION == Function.RELU_GRAD) {
                    u = u.blend(Simd.ZERO, z.compare(VectorOperators.LE, Simd.ZERO));
                } else if (FUNCTION == Function.SILU_GRAD) {
                    FloatVector sigma = Simd.sigmoid(z, ROUGH);
                    u = u.mul(sigma).mul(z.fma(Simd.ONE.sub(sigma), Simd.ONE));
                } else {
                    u = u.mul(z).mul(Simd.ONE.sub(z));
                }
            }
            FloatVector q = k3;
            if (EXTRA_IS_SAVED) {
                q = shared.fma(k2, k3);
            } else if (HAS_EXTRA) {
                q = load(e + i * es, EXTRA).fma(k2, k3);
            }
            // Only now, since a result may lie on any operand.
            if (STORE_U) {
                Simd.store(u, au + i * aus, KIND.half(U));
            }
            FloatVector r = TAIL ? u.fma(k1, q) : u;
            if (STORE_W) {
                Simd.store(r, aw + i * aws, KIND.half(W));
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
