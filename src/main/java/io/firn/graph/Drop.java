package io.firn.graph;

import java.util.List;

/**
 * Random omission while training. The mask is a function of the step's {@link Counter} table, {@code id} (the op's
 * number in its model) and the element's or sample's place in the global batch ({@link Masks}), so that it is never
 * stored: the gradient is the same op, with the same mask, on dy. Survivors are divided by 1 - p.
 */
public sealed interface Drop extends Op {

    double p();

    int id();

    /** (x, counter i32 [{@link Counter#SIZE}]) → x with elements zeroed with probability p (Srivastava et al. 2014). */
    record Dropout(double p, int id) implements Drop {
        public Dropout {
            probability(p);
        }

        @Override
        public List<Type> infer(List<Type> in) {
            return likeFirst(in);
        }

        @Override
        public String label() {
            return "dropout";
        }
    }

    /** (x, counter) → x with whole samples zeroed with probability p (stochastic depth, Huang et al. 2016). */
    record DropPath(double p, int id) implements Drop {
        public DropPath {
            probability(p);
        }

        @Override
        public List<Type> infer(List<Type> in) {
            return likeFirst(in);
        }

        @Override
        public String label() {
            return "drop_path";
        }
    }

    private static void probability(double p) {
        Op.check(p > 0 && p < 1, "probability %s", p);
    }

    private static List<Type> likeFirst(List<Type> in) {
        Op.arity(in, 2);
        Op.same(Counter.TYPE, in.get(1));
        return List.of(in.get(0));
    }
}
