package io.firn.graph;

import java.util.List;
import java.util.function.IntPredicate;

/**
 * The derivative of every op: one table. A new op does not compile until it has its row. Rows add only what is asked
 * for, so that a gradient nobody wants is never written down.
 */
public final class Derivatives {
    private Derivatives() {
    }

    /**
     * Adds the nodes that take the gradient of {@code n}'s first output back to its inputs.
     *
     * @param b      receives the nodes
     * @param dy     gradient of the first output; the loss itself, whose gradient is 1, is given as null
     * @param wanted which inputs' gradients are needed
     * @return the gradient of each input, null where it is not wanted or does not exist
     */
    public static Value[] of(GraphBuilder b, Node n, Value dy, IntPredicate wanted) {
        Value[] d = new Value[n.inputs().size()];
        String name = n.name();
        List<Value> in = n.inputs();
        switch (n.op()) {
            case Convolution.Forward(int stride, int padding, int groups) -> {
                Shape x = in.get(0).shape();
                if (wanted.test(1)) {
                    int k = in.get(1).shape().dim(2);
                    d[1] = b.add(name + ".wgrad", new Convolution.Wgrad(stride, padding, groups, k), in.get(0), dy);
                }
                if (wanted.test(0)) {
                    d[0] = b.add(name + ".dgrad", new Convolution.Dgrad(stride, padding, groups, x.h(), x.w()), dy,
                            in.get(1));
                }
                Op.check(in.size() == 2, "%s: a convolution with a bias is made after differentiation", name);
            }
            case Linear.Forward() -> {
                if (wanted.test(1)) {
                    d[1] = b.add(name + ".wgrad", new Linear.Wgrad(in.get(1).shape()), in.get(0), dy);
                }
                if (wanted.test(2)) {
                    d[2] = b.add(name + ".bias_grad", new Linear.BiasGrad(), dy);
                }
                if (wanted.test(0)) {
                    d[0] = b.add(name + ".dgrad", new Linear.Dgrad(), dy, in.get(1));
                }
            }
            case Normalization.BatchNorm bn -> {
                Value x = in.get(0);
                Value mean = n.outputs().get(1);
                Value invstd = n.outputs().get(2);
                List<Value> sums = b.addAll(name + ".grad_sums", new Normalization.GradSums(), dy, x, mean, invstd);
                d[1] = sums.get(0);
                d[2] = sums.get(1);
                if (wanted.test(0)) {
                    long count = (long) x.shape().n() * x.shape().area();
                    d[0] = b.add(name + ".grad", new Normalization.GradApply(count), dy, x, in.get(1), mean, invstd,
                            sums.get(0), sums.get(1));
                }
            }
            case Normalization.Apply a -> {
                Op.check(!wanted.test(1) && (in.size() < 3 || !wanted.test(2)),
                        "%s: a batch norm in evaluation mode is frozen", name);
                if (wanted.test(0)) {
                    d[0] = b.add(name + ".grad", new Normalization.Apply(), dy, in.get(1));
                }
            }
            case Activation.Forward(Activation.Kind kind) ->
                    d[0] = b.add(name + ".grad", new Activation.Grad(kind), dy, kind.gradFromOutput() ? n.output() : in.get(0));
            case Pooling.Max(int kernel, int stride, int padding) -> {
                Shape x = in.get(0).shape();
                d[0] = b.add(name + ".grad", new Pooling.MaxGrad(kernel, stride, padding, x.h(), x.w()), dy,
                        n.outputs().get(1));
            }
            case Pooling.GlobalAverage g ->
                    d[0] = b.add(name + ".grad", new Pooling.GlobalAverageGrad(in.get(0).type()), dy);
            case Elementwise.Add a -> {
                d[0] = dy;
                d[1] = dy;
            }
            case Gate.Scale g -> {
                if (wanted.test(0)) {
                    d[0] = b.add(name + ".dgrad", new Gate.Scale(), dy, in.get(1));
                }
                if (wanted.test(1)) {
                    d[1] = b.add(name + ".scale_grad", new Gate.ScaleGrad(), dy, in.get(0));
                }
            }
            case Shortcut.Pad(int stride, int channels) -> {
                Shape x = in.get(0).shape();
                d[0] = b.add(name + ".grad", new Shortcut.PadGrad(stride, x.c(), x.h(), x.w()), dy);
            }
            case Drop drop -> d[0] = b.add(name + ".grad", drop, dy, in.get(1));
            case Loss.SoftmaxCrossEntropy(double smoothing) -> {
                Op.check(dy == null, "%s: the loss is the end of the graph", name);
                d[0] = b.add(name + ".grad", new Loss.SoftmaxCrossEntropyGrad(smoothing), in.toArray(Value[]::new));
            }
            // The weight's gradient is computed in f32 already, whatever the product's precision.
            case Conversion.Cast c -> d[0] = dy.dtype() == in.get(0).dtype() ? dy
                    : b.add(name + ".grad", new Conversion.Cast(in.get(0).dtype()), dy);
            case Conversion.Normalize c -> throw noDerivative(n, "pixels are no variables");
            case Normalization.Affine a -> throw noDerivative(n, "a batch norm in evaluation mode is frozen");
            case Normalization.Statistics s -> throw noDerivative(n, "batch norms are split after differentiation");
            case Normalization.Finalise f -> throw noDerivative(n, "batch norms are split after differentiation");
            case Normalization.FoldWeight f -> throw noDerivative(n, "batch norms are folded after differentiation");
            case Convolution.Dgrad c -> throw secondDerivative(n);
            case Convolution.Wgrad c -> throw secondDerivative(n);
            case Linear.Dgrad l -> throw secondDerivative(n);
            case Linear.Wgrad l -> throw secondDerivative(n);
            case Linear.BiasGrad l -> throw secondDerivative(n);
            case Normalization.GradSums g -> throw secondDerivative(n);
            case Normalization.GradApply g -> throw secondDerivative(n);
            case Activation.Grad a -> throw secondDerivative(n);
            case Pooling.MaxGrad p -> throw secondDerivative(n);
            case Pooling.GlobalAverageGrad p -> throw secondDerivative(n);
            case Gate.ScaleGrad g -> throw secondDerivative(n);
            case Shortcut.PadGrad s -> throw secondDerivative(n);
            case Loss.SoftmaxCrossEntropyGrad l -> throw secondDerivative(n);
            case Clipping c -> throw noDerivative(n, "gradients are not differentiated");
            case Scaling s -> throw noDerivative(n, "a loss is scaled after differentiation");
            case Slicing s -> throw noDerivative(n, "batches are sliced after differentiation");
            case Collective c -> throw noDerivative(n, "ranks exchange gradients, after differentiation");
            case Update u -> throw noDerivative(n, "an optimizer is not differentiated");
        }
        return d;
    }

    private static IllegalStateException noDerivative(Node n, String why) {
        return new IllegalStateException("%s (%s) has no derivative: %s".formatted(n.name(), n.op().label(), why));
    }

    private static IllegalStateException secondDerivative(Node n) {
        return noDerivative(n, "it is one already");
    }
}
