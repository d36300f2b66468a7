package io.firn.weights;

import io.firn.graph.Op;
import io.firn.graph.Shape;

/**
 * A named tensor's content on the host: f32 in row-major order, convolutions as [O, C/g, K, K]. The array is shared, not
 * copied, since a network's weights are large; who receives it reads it only.
 */
public record Tensor(Shape shape, float[] data) {

    public Tensor {
        Op.check(shape.elements() == data.length, "%d numbers for a tensor of shape %s", data.length, shape);
    }

    public static Tensor scalar(float value) {
        return new Tensor(Shape.SCALAR, new float[]{value});
    }
}
