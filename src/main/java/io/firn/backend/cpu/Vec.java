package io.firn.backend.cpu;

/**
 * A factor or summand of fused loops that is constant over a sample's pixels: an expression over vectors [C], rows of
 * matrices [N, C] and random factors of samples. The factories fold constants.
 */
sealed interface Vec {
    Vec ZERO = new Constant(0);
    Vec ONE = new Constant(1);

    /** Whether it differs between samples. */
    boolean perSample();

    /** One number. */
    record Constant(float value) implements Vec {
        @Override
        public boolean perSample() {
            return false;
        }
    }

    /** An f32 vector [C]; zero beyond. */
    record Channel(Tensor tensor) implements Vec {
        @Override
        public boolean perSample() {
            return false;
        }
    }

    /** 1 for each channel and 0 beyond, where a block is padded. */
    record Valid() implements Vec {
        @Override
        public boolean perSample() {
            return false;
        }
    }

    /** The sample's row of an f32 matrix [N, C]; zero beyond. */
    record Row(Tensor tensor) implements Vec {
        @Override
        public boolean perSample() {
            return true;
        }
    }

    /** The factor that a drop-path gives the sample: 0 or 1 / (1 - p). */
    record Survival(int drop) implements Vec {
        @Override
        public boolean perSample() {
            return true;
        }
    }

    record Times(Vec a, Vec b) implements Vec {
        @Override
        public boolean perSample() {
            return a.perSample() || b.perSample();
        }
    }

    record Plus(Vec a, Vec b) implements Vec {
        @Override
        public boolean perSample() {
            return a.perSample() || b.perSample();
        }
    }

    static Vec of(double value) {
        return new Constant((float) value);
    }

    default Vec times(Vec b) {
        if (this instanceof Constant(float x) && b instanceof Constant(float y)) {
            return new Constant(x * y);
        }
        if (isConstant(0) || b.isConstant(1)) {
            return this;
        }
        return isConstant(1) || b.isConstant(0) ? b : new Times(this, b);
    }

    default Vec plus(Vec b) {
        if (this instanceof Constant(float x) && b instanceof Constant(float y)) {
            return new Constant(x + y);
        }
        return isConstant(0) ? b : b.isConstant(0) ? this : new Plus(this, b);
    }

    default Vec negated() {
        return times(new Constant(-1));
    }

    private boolean isConstant(float x) {
        return this instanceof Constant(float value) && value == x;
    }
}
