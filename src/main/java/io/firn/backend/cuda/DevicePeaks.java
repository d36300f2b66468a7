package io.firn.backend.cuda;

import io.firn.backend.Peaks;
import io.firn.backend.cuda.Device.Memory;
import io.firn.backend.cuda.Device.Product;
import io.firn.backend.cuda.Device.Stream;
import io.firn.backend.cuda.cudnn.CudnnGraph;
import io.firn.backend.cuda.cudnn.CudnnGraph.Tensor;
import io.firn.backend.cuda.cudnn.Engine;
import io.firn.backend.cuda.cudnn.Engines;
import io.firn.backend.cuda.cudnn.Operation;
import io.firn.error.UserError;
import io.firn.graph.DType;
import java.util.List;

/** Measures what a GPU reaches at best: a large copy, and a large product by cuDNN's engine for it. */
final class DevicePeaks {
    private static final int REPEATS = 10;
    private static final long ALIGNMENT = 16;

    private final Device device;
    private final Engines engines;
    private final long side;

    /** @param side rows and columns of the product's matrices */
    DevicePeaks(Device device, Engines engines, long side) {
        this.device = device;
        this.engines = engines;
        this.side = side;
    }

    Peaks measure() {
        try (Owned owned = new Owned(device)) {
            Stream stream = owned.add(device.stream());
            var watch = new Stopwatch(device, owned, stream);
            // Three matrices of f32; two of them are what is copied.
            long bytes = 4 * side * side;
            Memory memory = owned.add(device.allocate(3 * bytes));
            device.fill(memory.address(), (byte) 0, 3 * bytes, stream);
            double copy = watch.seconds(REPEATS, () -> device.copy(memory.address(), memory.address() + bytes, bytes, stream));
            return new Peaks(flops(DType.F32, memory, owned, watch, stream), flops(DType.BF16, memory, owned, watch, stream),
                    2 * bytes / copy);
        }
    }

    private double flops(DType type, Memory memory, Owned owned, Stopwatch watch, Stream stream) {
        // A convolution of one pixel by one is a product of [N·H·W, C] and [C, K].
        Tensor x = tensor(1, side, type);
        Tensor w = tensor(2, side, type);
        Tensor y = tensor(3, side, type);
        var g = new CudnnGraph(List.of(x, w), List.of(y), List.of(new Operation.ConvolutionForward(x, w, y,
                new Operation.Window(0, 1))), false);
        Engine e = engines.engine(g).orElseThrow(() -> UserError.other("cuDNN has no engine for a product: %s",
                engines.refusal(g)));
        byte[] plan = engines.plan(g).orElseThrow();
        Memory workspace = owned.add(device.allocate(Math.max(1, e.workspace())));
        long bytes = 4 * side * side;
        Product p = owned.add(device.product(g, plan, List.of(memory.address(), memory.address() + bytes,
                memory.address() + 2 * bytes), workspace.address()));
        return 2.0 * side * side * side / watch.seconds(REPEATS, () -> device.execute(p, stream));
    }

    private static Tensor tensor(long id, long side, DType type) {
        return new Tensor(id, List.of(side, side, 1L, 1L), List.of(side, 1L, side, side), type, false, ALIGNMENT);
    }
}
