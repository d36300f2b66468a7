package io.firn.oracle;

import static io.firn.oracle.Array.channelSums;
import static io.firn.oracle.Array.map;

import io.firn.graph.Normalization;
import io.firn.graph.Shape;
import java.util.List;

/**
 * {@link Magnitudes} of batch norm. Variances are measured as Σ x² / count - mean², the less exact of the two ways to
 * compute them, so that a whole batch norm and its parts are held to the same.
 */
final class NormalizationMagnitudes {
    private NormalizationMagnitudes() {
    }

    static List<double[]> of(Normalization op, List<Bounded> in) {
        Bounded x = in.getFirst();
        Shape shape = x.shape();
        return switch (op) {
            case Normalization.BatchNorm bn -> batchNorm(bn, in);
            case Normalization.Statistics s -> List.of(sums(x).magnitude(), squares(x).magnitude());
            case Normalization.Finalise f -> finalise(f, in);
            case Normalization.Affine a -> Scalar.magnitudes(2, x.value().length, c -> affine(x.at(c),
                    in.get(1).at(c), in.get(2).at(c), invstd(in.get(3).at(c), a.eps())));
            case Normalization.Apply a -> List.of(map(shape, (i, c) -> {
                Scalar scaled = x.at(i).times(in.get(1).at(c));
                return (in.size() == 2 ? scaled : scaled.plus(in.get(2).at(c))).magnitude();
            }));
            case Normalization.GradSums g -> List.of(
                    channelSums(shape, (i, c) -> x.at(i).times(in.get(1).at(i).minus(in.get(2).at(c)))
                            .times(in.get(3).at(c)).magnitude()),
                    sums(x).magnitude());
            case Normalization.GradApply(long count) -> List.of(map(shape, (i, c) -> gradApply(in, i, c, count)));
            case Normalization.FoldWeight f -> Magnitudes.ofProducts(op, in);
        };
    }

    private static Bounded sums(Bounded x) {
        return Bounded.computed(channelSums(x.shape(), (i, c) -> x.value()[i]),
                channelSums(x.shape(), (i, c) -> x.magnitude()[i]));
    }

    private static Bounded squares(Bounded x) {
        return Bounded.computed(channelSums(x.shape(), (i, c) -> x.value()[i] * x.value()[i]),
                channelSums(x.shape(), (i, c) -> x.at(i).times(x.at(i)).magnitude()));
    }

    /** Its parts, one after the other, but for y = (x - mean) · scale + bias. */
    private static List<double[]> batchNorm(Normalization.BatchNorm op, List<Bounded> in) {
        Bounded x = in.get(0);
        Bounded sums = sums(x);
        Bounded squares = squares(x);
        long count = (long) x.shape().n() * x.shape().area();
        List<Bounded> parts = List.of(sums, squares, in.get(1), in.get(2), in.get(3), in.get(4));
        List<double[]> finalised = finalise(new Normalization.Finalise(op.eps(), op.momentum(), count), parts);
        Scalar[] means = new Scalar[x.shape().c()];
        Scalar[] scales = new Scalar[means.length];
        for (int c = 0; c < means.length; c++) {
            means[c] = sums.at(c).over(count);
            scales[c] = in.get(1).at(c).times(invstd(variance(means[c], squares.at(c), count), op.eps()));
        }
        Bounded bias = in.get(2);
        double[] y = map(x.shape(), (i, c) -> x.at(i).minus(means[c]).times(scales[c]).plus(bias.at(c)).magnitude());
        return List.of(y, finalised.get(0), finalised.get(1), finalised.get(4), finalised.get(5));
    }

    private static List<double[]> finalise(Normalization.Finalise op, List<Bounded> in) {
        return Scalar.magnitudes(6, in.getFirst().value().length, c -> {
            Scalar mean = in.get(0).at(c).over(op.count());
            Scalar variance = variance(mean, in.get(1).at(c), op.count());
            Scalar invstd = invstd(variance, op.eps());
            Scalar[] affine = affine(in.get(2).at(c), in.get(3).at(c), mean, invstd);
            Scalar unbiased = variance.times(op.count()).over(Math.max(1, op.count() - 1));
            return new Scalar[] {mean, invstd, affine[0], affine[1], running(in.get(4).at(c), mean, op.momentum()),
                running(in.get(5).at(c), unbiased, op.momentum())};
        });
    }

    private static Scalar variance(Scalar mean, Scalar squares, long count) {
        return squares.over(count).minus(mean.times(mean)).orZero();
    }

    private static Scalar invstd(Scalar variance, double eps) {
        return Scalar.of(1).over(variance.plus(eps).root());
    }

    /** scale = weight · invstd, shift = bias - mean · scale. */
    private static Scalar[] affine(Scalar weight, Scalar bias, Scalar mean, Scalar invstd) {
        Scalar scale = weight.times(invstd);
        return new Scalar[] {scale, bias.minus(mean.times(scale))};
    }

    private static Scalar running(Scalar before, Scalar now, double momentum) {
        return before.times(1 - momentum).plus(now.times(momentum));
    }

    private static double gradApply(List<Bounded> in, int i, int c, long count) {
        Scalar invstd = in.get(4).at(c);
        Scalar normalised = in.get(1).at(i).minus(in.get(3).at(c)).times(invstd);
        Scalar mean = in.get(6).at(c).over(count);
        Scalar slope = in.get(5).at(c).over(count);
        return in.get(2).at(c).times(invstd)
                .times(in.get(0).at(i).minus(mean).minus(normalised.times(slope))).magnitude();
    }
}
