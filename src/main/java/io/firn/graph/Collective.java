package io.firn.graph;

import java.util.List;
import java.util.Locale;

/**
 * Exchanges between the ranks that train one network together: each runs the same graph on its share of the global batch.
 * Seen from a single rank, which is all that an interpreter of one graph can see, the others hold what it holds.
 */
public sealed interface Collective extends Op {

    /** How many take part. */
    int ranks();

    /** What becomes of the ranks' elements. */
    enum Reduction {
        SUM, MEAN;

        /** What {@code ranks} equal elements become: this many times one of them. */
        public double ofEqual(int ranks) {
            return this == SUM ? ranks : 1;
        }
    }

    /** (x₁, x₂, … of f32) → the same types, element for element the sum or the mean over all ranks, alike on each. */
    record AllReduce(Reduction reduction, int ranks) implements Collective {
        public AllReduce {
            Op.check(ranks >= 2, "%d ranks exchange nothing", ranks);
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 1, Integer.MAX_VALUE);
            in.forEach(t -> Op.check(t.dtype() == DType.F32, "%s where f32 is reduced", t));
            return List.copyOf(in);
        }

        @Override
        public String label() {
            return "all_reduce_" + reduction.name().toLowerCase(Locale.ROOT);
        }
    }
}
