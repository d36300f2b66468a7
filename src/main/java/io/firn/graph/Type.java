package io.firn.graph;

/** What a value is: element type and shape. */
public record Type(DType dtype, Shape shape) {

    public static Type f32(int... dims) {
        return new Type(DType.F32, Shape.of(dims));
    }

    public Type withDtype(DType other) {
        return new Type(other, shape);
    }

    /** Bytes of the dense tensor, without any padding that a layout adds. */
    public long bytes() {
        return shape.elements() * dtype.bytes();
    }

    @Override
    public String toString() {
        return dtype.name().toLowerCase() + shape;
    }
}
