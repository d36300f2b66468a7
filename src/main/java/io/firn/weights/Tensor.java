package io.firn.weights;

import io.firn.graph.Op;
import io.firn.graph.Shape;
import java.util.function.Supplier;

/**
 * A named tensor's content: f32 in row-major order, convolutions as [O, C/g, K, K].
 *
 * @param content gives the numbers: an array that is shared, not copied, or one that is read from a file each time, since
 *                a network's weights are large; who receives it reads it only
 */
public record Tensor(Shape shape, Supplier<float[]> content) {

    public Tensor(Shape shape, float[] data) {
        this(shape, () -> data);
        Op.check(shape.elements() == data.length, "%d numbers for a tensor of shape %s", data.length, shape);
    }

    public float[] data() {
        return content.get();
    }

    public static Tensor scalar(float value) {
        return new Tensor(Shape.SCALAR, new float[]{value});
    }
}
