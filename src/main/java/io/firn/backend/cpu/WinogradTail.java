package io.firn.backend.cpu;

import static io.firn.backend.cpu.Simd.F;
import static io.firn.backend.cpu.Simd.MEMORY;
import static io.firn.backend.cpu.Simd.ORDER;

import io.firn.graph.Activation;
import io.firn.graph.Node;
import io.firn.graph.Value;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import jdk.incubator.vector.FloatVector;

/**
 * What a frozen {@link Winograd} convolution in f32 does to its results on their way out, as the batch norm, the shortcut and
 * the activation after it were folded into it: y = relu(y + bias + residual).
 *
 * @param bias     f32 [C]
 * @param residual like y
 * @param relu     whether what is negative becomes zero
 */
record WinogradTail(Tensor bias, Optional<Tensor> residual, boolean relu) {

    /** Of the nodes that make up this product; empty where nothing follows the convolution. */
    static Optional<WinogradTail> of(Product p, List<Node> nodes, Function<Value, Tensor> tensors) {
        return p.bias() ? Optional.of(new WinogradTail(tensors.apply(nodes.getFirst().input(2)),
                p.residual() ? Optional.of(tensors.apply(Product.residualOf(nodes))) : Optional.empty(),
                p.activation().equals(Optional.of(Activation.Kind.RELU)))) : Optional.empty();
    }

    /**
     * Finishes a row of pixels, of each one vector of channels.
     *
     * @param y     address of the first
     * @param other address of the residual's first, or of zeros
     * @param c     first channel
     * @param step  bytes from one pixel to the next
     */
    void finish(long y, long other, int c, int count, int step) {
        if (relu) {
            addAndClip(y, other, bias.address() + 4L * c, count, step);
        } else {
            add(y, other, bias.address() + 4L * c, count, step);
        }
    }

    private static void add(long y, long other, long bias, int count, int step) {
        FloatVector b = FloatVector.fromMemorySegment(F, MEMORY, bias, ORDER);
        for (int i = 0; i < count; i++) {
            FloatVector.fromMemorySegment(F, MEMORY, y, ORDER).add(b).add(FloatVector.fromMemorySegment(F, MEMORY, other, ORDER))
                    .intoMemorySegment(MEMORY, y, ORDER);
            y += step;
            other += step;
        }
    }

    private static void addAndClip(long y, long other, long bias, int count, int step) {
        FloatVector b = FloatVector.fromMemorySegment(F, MEMORY, bias, ORDER);
        for (int i = 0; i < count; i++) {
            Simd.relu(FloatVector.fromMemorySegment(F, MEMORY, y, ORDER).add(b)
                    .add(FloatVector.fromMemorySegment(F, MEMORY, other, ORDER))).intoMemorySegment(MEMORY, y, ORDER);
            y += step;
            other += step;
        }
    }
}
