package io.firn.oracle;

import io.firn.graph.Slicing;
import java.util.Arrays;
import java.util.List;
import java.util.stream.DoubleStream;

/** Slices of a batch, and a batch from slices: images are the first axis, and so lie one after the other. */
final class SlicingOracle {
    private SlicingOracle() {
    }

    static double[] run(Slicing op, List<Array> in) {
        return switch (op) {
            case Slicing.Narrow(int start, int length) -> {
                double[] x = in.getFirst().data();
                int image = x.length / in.getFirst().shape().n();
                yield Arrays.copyOfRange(x, start * image, (start + length) * image);
            }
            case Slicing.Cat c -> in.stream().flatMapToDouble(a -> DoubleStream.of(a.data())).toArray();
        };
    }
}
