package io.firn.graph;

import java.util.List;

/**
 * ResNet's parameter-free shortcut ("option A" of He et al. 2015, arXiv 1512.03385, section 4.2): every
 * {@code stride}-th pixel, with zero channels added evenly on both sides.
 */
public sealed interface Shortcut extends Op {

    /** (x [N,C,H,W]) → y [N,channels,⌈H/stride⌉,⌈W/stride⌉]; x's channels begin at (channels - C) / 2. */
    record Pad(int stride, int channels) implements Shortcut {
        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 1);
            Shape x = in.get(0).shape();
            Op.check(channels >= x.c() && (channels - x.c()) % 2 == 0, "cannot pad %d channels to %d", x.c(), channels);
            return List.of(new Type(in.get(0).dtype(), Shape.of(x.n(), channels, (x.h() + stride - 1) / stride,
                    (x.w() + stride - 1) / stride)));
        }

        @Override
        public String label() {
            return "shortcut";
        }
    }

    /** (dy) → dx [N,channels,height,width], zero at the pixels that were skipped. */
    record PadGrad(int stride, int channels, int height, int width) implements Shortcut {
        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 1);
            return List.of(new Type(in.get(0).dtype(), Shape.of(in.get(0).shape().n(), channels, height, width)));
        }

        @Override
        public String label() {
            return "shortcut_grad";
        }
    }
}
