package io.firn.graph;

import java.util.List;

/** The excitation of squeeze-and-excitation (Hu et al. 2018, arXiv 1709.01507): a factor for each sample and channel. */
public sealed interface Gate extends Op {

    /** (x [N,C,H,W], s f32 [N,C]) → x · s. Its gradient towards x is the same op on dy. */
    record Scale() implements Gate {
        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 2);
            Op.same(Type.f32(in.get(0).shape().n(), in.get(0).shape().c()), in.get(1));
            return List.of(in.get(0));
        }

        @Override
        public String label() {
            return "gate";
        }
    }

    /** (dy [N,C,H,W], x [N,C,H,W]) → ds f32 [N,C] = Σ over H and W of dy · x. */
    record ScaleGrad() implements Gate {
        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 2);
            Op.same(in.get(0), in.get(1));
            return List.of(Type.f32(in.get(0).shape().n(), in.get(0).shape().c()));
        }

        @Override
        public String label() {
            return "gate_grad";
        }
    }
}
