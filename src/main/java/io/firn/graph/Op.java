package io.firn.graph;

import java.util.List;

/**
 * A primitive operation: an immutable record with its attributes. A family of ops (forward and backward) is a file.
 * What an op means is defined by the interpreter in {@code io.firn.oracle}; what its derivative is, by {@link Derivatives}.
 */
public sealed interface Op permits Activation, Clipping, Collective, Conversion, Convolution, Drop, Elementwise, Gate,
        Linear, Loss, Normalization, Pooling, Scaling, Shortcut, Slicing, Update {

    /**
     * Types of the outputs.
     *
     * @throws IllegalArgumentException where the inputs make no sense, saying why
     */
    List<Type> infer(List<Type> in);

    /** 2 x multiply-adds of convolutions and products; 0 for all else. */
    default long flops(List<Type> in, List<Type> out) {
        return 0;
    }

    /** Short name for tables: {@code conv}, {@code conv_dgrad}, … */
    String label();

    /** Refuses inputs that make no sense. */
    static void check(boolean holds, String message, Object... args) {
        if (!holds) {
            throw new IllegalArgumentException(message.formatted(args));
        }
    }

    static void arity(List<Type> in, int least, int most) {
        check(in.size() >= least && in.size() <= most, "%d inputs where %d to %d are taken", in.size(), least, most);
    }

    static void arity(List<Type> in, int exactly) {
        arity(in, exactly, exactly);
    }

    static void rank(Type type, int rank) {
        check(type.shape().rank() == rank, "%s where rank %d is wanted", type, rank);
    }

    static void same(Type a, Type b) {
        check(a.equals(b), "%s and %s differ", a, b);
    }

    /** A float vector with one element a channel of {@code x}. */
    static void channelVector(Type x, Type v) {
        check(v.equals(Type.f32(x.shape().c())), "%s is no f32 vector of the %d channels of %s", v, x.shape().c(), x);
    }
}
