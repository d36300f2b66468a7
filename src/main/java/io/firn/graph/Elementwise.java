package io.firn.graph;

import java.util.List;

/** Sums of tensors of one type: residual connections, and gradients that meet. */
public sealed interface Elementwise extends Op {

    /** (a, b) → a + b. */
    record Add() implements Elementwise {
        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 2);
            Op.same(in.get(0), in.get(1));
            return List.of(in.get(0));
        }

        @Override
        public String label() {
            return "add";
        }
    }
}
