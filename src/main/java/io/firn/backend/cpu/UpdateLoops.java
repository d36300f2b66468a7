package io.firn.backend.cpu;

import io.firn.graph.Update;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/** The optimizers' loops over a range of elements that fills vectors: with masks, the compiler inlines too little (see {@link Simd}). */
final class UpdateLoops {
    private static final int BYTES = 4 * Simd.LANES;

    private UpdateLoops() {
    }

    static void sgd(UpdateKernel.Segment s, double lr, double momentum, double decay, boolean nesterov) {
        FloatVector rate = Simd.of((float) -lr);
        FloatVector lambda = Simd.of((float) decay);
        FloatVector mu = Simd.of((float) momentum);
        long w = s.w();
        long g = s.g();
        long v = momentum == 0 ? 0 : s.slots()[0];
        for (long left = s.elements(); left > 0; left -= Simd.LANES) {
            FloatVector weight = Simd.load(w);
            FloatVector d = weight.fma(lambda, Simd.load(g));
            if (momentum != 0) {
                FloatVector velocity = Simd.load(v).fma(mu, d);
                Simd.store(velocity, v);
                d = nesterov ? velocity.fma(mu, d) : velocity;
                v += BYTES;
            }
            Simd.store(d.fma(rate, weight), w);
            w += BYTES;
            g += BYTES;
        }
    }

    static void adamW(UpdateKernel.Segment s, Update.AdamW op, double lr, double correction1, double correction2) {
        FloatVector keep = Simd.of((float) (1 - lr * op.weightDecay()));
        FloatVector beta1 = Simd.of((float) op.beta1());
        FloatVector rest1 = Simd.of((float) (1 - op.beta1()));
        FloatVector beta2 = Simd.of((float) op.beta2());
        FloatVector rest2 = Simd.of((float) (1 - op.beta2()));
        FloatVector root = Simd.of((float) (1 / Math.sqrt(correction2)));
        FloatVector eps = Simd.of((float) op.eps());
        FloatVector rate = Simd.of((float) (-lr / correction1));
        long w = s.w();
        long g = s.g();
        long m = s.slots()[0];
        long q = s.slots()[1];
        for (long left = s.elements(); left > 0; left -= Simd.LANES) {
            FloatVector d = Simd.load(g);
            FloatVector first = Simd.load(m).mul(beta1).add(d.mul(rest1));
            FloatVector second = Simd.load(q).mul(beta2).add(d.mul(d).mul(rest2));
            FloatVector size = second.lanewise(VectorOperators.SQRT).fma(root, eps);
            FloatVector weight = Simd.load(w).mul(keep).add(first.div(size).mul(rate));
            Simd.store(first, m);
            Simd.store(second, q);
            Simd.store(weight, w);
            w += BYTES;
            g += BYTES;
            m += BYTES;
            q += BYTES;
        }
    }

    static void rmsProp(UpdateKernel.Segment s, Update.RmsProp op, double lr) {
        FloatVector lambda = Simd.of((float) op.weightDecay());
        FloatVector alpha = Simd.of((float) op.alpha());
        FloatVector rest = Simd.of((float) (1 - op.alpha()));
        FloatVector eps = Simd.of((float) op.eps());
        FloatVector mu = Simd.of((float) op.momentum());
        FloatVector rate = Simd.of((float) -lr);
        boolean inside = op.epsInside();
        boolean momentum = op.momentum() != 0;
        long w = s.w();
        long g = s.g();
        long q = s.slots()[0];
        long v = momentum ? s.slots()[1] : 0;
        for (long left = s.elements(); left > 0; left -= Simd.LANES) {
            FloatVector weight = Simd.load(w);
            FloatVector d = weight.fma(lambda, Simd.load(g));
            FloatVector square = Simd.load(q).mul(alpha).add(d.mul(d).mul(rest));
            Simd.store(square, q);
            FloatVector size = inside ? square.add(eps).lanewise(VectorOperators.SQRT)
                    : square.lanewise(VectorOperators.SQRT).add(eps);
            FloatVector step = d.div(size);
            if (momentum) {
                step = Simd.load(v).fma(mu, step);
                Simd.store(step, v);
                v += BYTES;
            }
            Simd.store(step.fma(rate, weight), w);
            w += BYTES;
            g += BYTES;
            q += BYTES;
        }
    }
}
