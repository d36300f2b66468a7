package io.firn.backend.cpu;

import io.firn.graph.Update;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/** The optimizers' loops over a range of elements that fills vectors: with masks, the compiler inlines too little (see {@link Simd}). */
final class UpdateLoops {
    private static final int BYTES = 4 * Simd.LANES;
    /** Vectors of squares that are added up in f32. */
    private static final int BLOCK = 8;

    private UpdateLoops() {
    }

    /** The sum of squares: a few in f32 at a time, these in double precision. */
    static double squares(long address, long elements) {
        double sum = 0;
        long whole = elements - elements % (BLOCK * Simd.LANES);
        for (long i = 0; i < whole; i += BLOCK * Simd.LANES) {
            FloatVector block = Simd.ZERO;
            for (int k = 0; k < BLOCK; k++) {
                FloatVector x = Simd.load(address + 4 * i + (long) k * BYTES);
                block = x.fma(x, block);
            }
            sum += block.reduceLanes(VectorOperators.ADD);
        }
        for (long i = whole; i < elements; i++) {
            double x = Native.getFloat(address + 4 * i);
            sum += x * x;
        }
        return sum;
    }

    static void average(UpdateKernel.Segment s, double decay) {
        FloatVector rest = Simd.of((float) (1 - decay));
        long average = s.w();
        long value = s.g();
        for (long left = s.elements(); left > 0; left -= Simd.LANES) {
            FloatVector before = Simd.load(average);
            Simd.store(Simd.load(value).sub(before).fma(rest, before), average);
            average += BYTES;
            value += BYTES;
        }
    }

    static void accumulate(UpdateKernel.Segment s, int batches, boolean keep) {
        FloatVector share = Simd.of(1f / batches);
        long sum = s.w();
        long g = s.g();
        for (long left = s.elements(); left > 0; left -= Simd.LANES) {
            FloatVector d = Simd.load(g);
            Simd.store(keep ? d.fma(share, Simd.load(sum)) : d.mul(share), sum);
            sum += BYTES;
            g += BYTES;
        }
    }

    static void lars(UpdateKernel.Segment s, Update.Lars op, double lr, double scale, double trust) {
        FloatVector rate = Simd.of((float) -lr);
        FloatVector lambda = Simd.of((float) (op.weightDecay() * trust));
        FloatVector share = Simd.of((float) (scale * trust));
        FloatVector mu = Simd.of((float) op.momentum());
        long w = s.w();
        long g = s.g();
        long v = s.slots()[0];
        for (long left = s.elements(); left > 0; left -= Simd.LANES) {
            FloatVector weight = Simd.load(w);
            FloatVector velocity = Simd.load(v).fma(mu, weight.fma(lambda, Simd.load(g).mul(share)));
            Simd.store(velocity, v);
            Simd.store(velocity.fma(rate, weight), w);
            w += BYTES;
            g += BYTES;
            v += BYTES;
        }
    }

    static void sgd(UpdateKernel.Segment s, Update.Sgd op, double lr, double scale) {
        FloatVector factor = Simd.of((float) scale);
        double momentum = op.momentum();
        double decay = op.weightDecay();
        boolean nesterov = op.nesterov();
        FloatVector rate = Simd.of((float) -lr);
        FloatVector lambda = Simd.of((float) decay);
        FloatVector mu = Simd.of((float) momentum);
        long w = s.w();
        long g = s.g();
        long v = momentum == 0 ? 0 : s.slots()[0];
        for (long left = s.elements(); left > 0; left -= Simd.LANES) {
            FloatVector weight = Simd.load(w);
            FloatVector d = weight.fma(lambda, Simd.load(g).mul(factor));
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

    static void adamW(UpdateKernel.Segment s, Update.AdamW op, double lr, double scale, double correction1,
                      double correction2) {
        FloatVector factor = Simd.of((float) scale);
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
            FloatVector d = Simd.load(g).mul(factor);
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

    static void rmsProp(UpdateKernel.Segment s, Update.RmsProp op, double lr, double scale) {
        FloatVector factor = Simd.of((float) scale);
        FloatVector lambda = Simd.of((float) op.weightDecay());
        FloatVector alpha = Simd.of((float) op.alpha());
        FloatVector rest = Simd.of((float) (1 - op.alpha()));
        FloatVector eps = Simd.of((float) op.eps());
        FloatVector mu = Simd.of((float) op.momentum());
        // TensorFlow's momentum is made of steps that have their rate already.
        FloatVector inner = Simd.of(op.tensorflow() ? (float) lr : 1);
        FloatVector rate = Simd.of(op.tensorflow() ? -1 : (float) -lr);
        boolean inside = op.tensorflow();
        boolean momentum = op.momentum() != 0;
        long w = s.w();
        long g = s.g();
        long q = s.slots()[0];
        long v = momentum ? s.slots()[1] : 0;
        for (long left = s.elements(); left > 0; left -= Simd.LANES) {
            FloatVector weight = Simd.load(w);
            FloatVector d = weight.fma(lambda, Simd.load(g).mul(factor));
            FloatVector square = Simd.load(q).mul(alpha).add(d.mul(d).mul(rest));
            Simd.store(square, q);
            FloatVector size = inside ? square.add(eps).lanewise(VectorOperators.SQRT)
                    : square.lanewise(VectorOperators.SQRT).add(eps);
            FloatVector step = d.div(size).mul(inner);
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
