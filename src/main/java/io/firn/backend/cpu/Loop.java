package io.firn.backend.cpu;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * One pass over the pixels of a strip. What it computes is its {@link Kind}; each kind is a copy of {@link StripLoop}
 * of its own, in which the kind is a constant, so that the compiler drops every branch that the kind does not take.
 */
interface Loop {

    /**
     * @param f      addresses, strides and coefficients of the strip
     * @param step   which of them are whose
     * @param pixels how many
     */
    void run(Frame f, Step step, int pixels);

    /** The function between the loop's two linear parts; gradients multiply by the derivative at the saved value. */
    enum Function {
        NONE, RELU, SILU, SIGMOID, RELU_GRAD, SILU_GRAD, SIGMOID_GRAD;

        boolean isGradient() {
            return ordinal() >= RELU_GRAD.ordinal();
        }
    }

    /** What is added up over the pixels: nothing; r; r and (r - pivot)²; u and u · q. */
    enum Reduce {
        NONE, SUM, MOMENTS, PRODUCT
    }

    /**
     * u = f(Σ bᵢ mᵢ + s; Σ cᵢ nᵢ + v), q = e · k₂ + k₃, w = u · k₁ + q; r is w where {@code tail}, else u.
     *
     * @param terms  number of bᵢ, 0 to 3
     * @param saved  number of cᵢ, 0 to 2; 0 where f takes no saved value
     * @param extra  whether there is an e
     * @param extraIsSaved whether e is c₀, so that it is loaded once
     * @param tail   whether w is computed
     * @param storeU whether u is stored
     * @param storeW whether w is stored
     * @param dense  whether pixels lie 16 elements apart everywhere (else the frame says)
     * @param bf16   which operands are bf16: bits 0 to 2 bᵢ, 3 and 4 cᵢ, 5 e, 6 u, 7 w
     */
    record Kind(int terms, Function function, int saved, boolean extra, boolean extraIsSaved, boolean tail, Reduce reduce, boolean storeU,
                boolean storeW, boolean dense, int bf16) {
        boolean half(int operand) {
            return (bf16 >> operand & 1) != 0;
        }

        Kind with(boolean isDense, int halves) {
            return new Kind(terms, function, saved, extra, extraIsSaved, tail, reduce, storeU, storeW, isDense, halves);
        }

        Kind sumOnly() {
            return new Kind(terms, function, saved, extra, extraIsSaved, tail, Reduce.SUM, false, false, dense, bf16);
        }
    }

    int SAVED = 3;
    int EXTRA = 5;
    int U = 6;
    int W = 7;
    int OPERANDS = 8;

    /** The loop of that kind, compiled once for the process. */
    static Loop of(Kind kind) {
        return Cache.LOOPS.computeIfAbsent(kind, Cache::define);
    }

    /** Loops by kind. */
    final class Cache {
        private static final Map<Kind, Loop> LOOPS = new ConcurrentHashMap<>();
        private static final byte[] TEMPLATE = template();

        private Cache() {
        }

        private static byte[] template() {
            try (InputStream in = Loop.class.getResourceAsStream("StripLoop.class")) {
                return in.readAllBytes();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        private static Loop define(Kind kind) {
            try {
                MethodHandles.Lookup copy = MethodHandles.lookup().defineHiddenClassWithClassData(TEMPLATE, kind, true);
                return (Loop) copy.findConstructor(copy.lookupClass(), MethodType.methodType(void.class)).invoke();
            } catch (Throwable e) {
                throw new IllegalStateException("cannot define the loop " + kind, e);
            }
        }
    }
}
