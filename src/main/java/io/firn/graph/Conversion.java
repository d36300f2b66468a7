package io.firn.graph;

import java.util.List;

/** Changes of element type: pixels to normalised activations, master weights to the precision of the products. */
public sealed interface Conversion extends Op {

    /** (pixels u8 [N,C,H,W]) → (x / 255 - mean[c]) / std[c] in the given type (torchvision's ToTensor and Normalize). */
    record Normalize(List<Double> mean, List<Double> std, DType dtype) implements Conversion {
        public Normalize {
            mean = List.copyOf(mean);
            std = List.copyOf(std);
            for (double s : std) {
                Op.check(s > 0, "standard deviation %s", s);
            }
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 1);
            Op.rank(in.get(0), 4);
            Op.check(in.get(0).dtype() == DType.U8, "%s are no pixels", in.get(0));
            int c = in.get(0).shape().c();
            Op.check(mean.size() == c && std.size() == c, "%d means and %d deviations for %d channels", mean.size(),
                    std.size(), c);
            return List.of(in.get(0).withDtype(dtype));
        }

        @Override
        public String label() {
            return "normalize";
        }
    }

    /** (x) → x, stored in another element type. */
    record Cast(DType dtype) implements Conversion {
        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 1);
            return List.of(in.get(0).withDtype(dtype));
        }

        @Override
        public String label() {
            return "cast";
        }
    }
}
