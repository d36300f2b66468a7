package io.firn.graph;

import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** The logical extent of a tensor; activations are always [N, C, H, W], whatever their layout in memory. */
public record Shape(List<Integer> dims) {

    public static final Shape SCALAR = new Shape(List.of());

    public Shape {
        dims = List.copyOf(dims);
        for (int d : dims) {
            if (d < 1) {
                throw new IllegalArgumentException("extent %d in shape %s".formatted(d, dims));
            }
        }
    }

    public static Shape of(int... dims) {
        return new Shape(IntStream.of(dims).boxed().toList());
    }

    public int rank() {
        return dims.size();
    }

    public int dim(int axis) {
        return dims.get(axis);
    }

    /** Batch extent of an activation (first axis). */
    public int n() {
        return dim(0);
    }

    /** Channels of an activation (second axis). */
    public int c() {
        return dim(1);
    }

    public int h() {
        return dim(2);
    }

    public int w() {
        return dim(3);
    }

    /** Pixels of one image's map, H x W; 1 for tensors without spatial axes. */
    public int area() {
        return rank() == 4 ? h() * w() : 1;
    }

    public long elements() {
        long n = 1;
        for (int d : dims) {
            n = Math.multiplyExact(n, d);
        }
        return n;
    }

    public int[] toArray() {
        return dims.stream().mapToInt(Integer::intValue).toArray();
    }

    @Override
    public String toString() {
        return dims.stream().map(String::valueOf).collect(Collectors.joining("x", "[", "]"));
    }
}
