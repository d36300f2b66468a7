package io.firn.graph;

import java.util.ArrayList;
import java.util.List;

/** A batch in slices, where each image is computed by itself. */
public sealed interface Slicing extends Op {

    /** (x [N,…]) → y [length,…]: the images from {@code start} on (torch.narrow over the first axis). */
    record Narrow(int start, int length) implements Slicing {
        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 1);
            Type x = in.getFirst();
            Op.check(x.shape().rank() > 0 && start >= 0 && length > 0 && start <= x.shape().n() - length,
                    "%s has no images %d to %d", x, start, start + length - 1);
            return List.of(images(x, length));
        }

        @Override
        public String label() {
            return "narrow";
        }
    }

    /** (x₀ [N₀,…], x₁ [N₁,…], …) → y [N₀ + N₁ + …,…]: one batch of all (torch.cat over the first axis). */
    record Cat() implements Slicing {
        @Override
        public List<Type> infer(List<Type> in) {
            Op.check(!in.isEmpty(), "nothing to join");
            Type first = in.getFirst();
            int n = 0;
            for (Type t : in) {
                Op.check(t.shape().rank() > 0 && images(t, 1).equals(images(first, 1)), "%s and %s differ by more than "
                        + "their number of images", first, t);
                n += t.shape().n();
            }
            return List.of(images(first, n));
        }

        @Override
        public String label() {
            return "cat";
        }
    }

    /** The type with another number of images. */
    static Type images(Type t, int n) {
        List<Integer> dims = new ArrayList<>(t.shape().dims());
        dims.set(0, n);
        return new Type(t.dtype(), new Shape(dims));
    }
}
