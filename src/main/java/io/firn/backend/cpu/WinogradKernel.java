package io.firn.backend.cpu;

import io.firn.graph.DType;
import java.util.List;

/** Runs a {@link Winograd} convolution: transforms by own kernels, products by oneDNN, chunk by chunk of images. */
final class WinogradKernel implements Executable {
    private final Winograd sizes;
    private final Workers workers;
    private final WinogradTiles source;
    private final WinogradTiles other;
    private final WinogradWeights weights;
    private final Primitive product;
    /** Of all chunks but the first, whose weight gradients are added up; null elsewhere. */
    private final Primitive sum;
    private final NativeArena zeros;
    private final Workers.Task transformWeights;
    private final Workers.Task transformSource;
    private final Workers.Task transformOther;
    private final Workers.Task gradient;
    private int chunk;

    /**
     * @param from    what is transformed by B: x, or dy for the data gradient
     * @param to      the result, or dy for the weight gradient
     * @param w       the weights, or their gradient: f32, dense
     * @param scratch address of its workspace
     */
    WinogradKernel(OneDnn dnn, Descriptors descriptors, Winograd sizes, Tensor from, Tensor to, Tensor w, long scratch,
                   Workers workers) {
        this.sizes = sizes;
        this.workers = workers;
        workers.reserve(Math.max(WinogradTiles.scratchBytes(sizes), WinogradWeights.SCRATCH_BYTES));
        boolean bf16 = sizes.dtype() == DType.BF16;
        long v = scratch;
        long m = v + sizes.transformedBytes();
        long u = m + sizes.resultBytes();
        long own = u + sizes.weightBytes();
        zeros = new NativeArena(Math.max(WinogradTiles.rowBytes(from), WinogradTiles.rowBytes(to)));
        source = new WinogradTiles(sizes, from, v, sizes.placeStride(sizes.from()), bf16, zeros.address());
        other = new WinogradTiles(sizes, to, m, sizes.placeStride(sizes.to()), sizes.wgrad() && bf16, zeros.address());
        weights = new WinogradWeights(w.type().shape(), w.address(), u, sizes.weightStride(), sizes.direction() == Product.Direction.DGRAD,
                !sizes.wgrad() && bf16);
        try {
            product = primitive(dnn, descriptors, false, v, m, u, own);
            sum = sizes.wgrad() && sizes.chunks() > 1 ? primitive(dnn, descriptors, true, v, m, u, own) : null;
        } catch (RuntimeException | Error e) {
            zeros.close();
            throw e;
        }
        transformWeights = (i, thread) -> weights.transform(i, workers.scratch(thread));
        transformSource = (i, thread) -> source.source(image(i), i / sizes.tileRows(), i % sizes.tileRows(),
                workers.scratch(thread));
        transformOther = sizes.wgrad()
                ? (i, thread) -> other.gradient(image(i), i / sizes.tileRows(), i % sizes.tileRows(), workers.scratch(thread))
                : (i, thread) -> other.result(image(i), i / sizes.tileRows(), i % sizes.tileRows(), workers.scratch(thread));
        gradient = (i, thread) -> weights.gradient(i, workers.scratch(thread));
    }

    private Primitive primitive(OneDnn dnn, Descriptors descriptors, boolean adds, long v, long m, long u, long own) {
        Descriptor d = descriptors.matrices(new Descriptors.Batch(sizes, adds));
        return new Primitive(dnn, "winograd", d.handle(), sizes.wgrad() ? d.arguments(v, m, u) : d.arguments(v, u, m), own);
    }

    /** Bytes of scratch memory. */
    static long workspace(Descriptors descriptors, Winograd w) {
        long own = descriptors.matrices(new Descriptors.Batch(w, false)).scratch();
        return w.bytes() + (w.wgrad() ? Math.max(own, descriptors.matrices(new Descriptors.Batch(w, true)).scratch()) : own);
    }

    private int image(int task) {
        return chunk * sizes.images() + task / sizes.tileRows();
    }

    @Override
    public void run() {
        int rows = sizes.images() * sizes.tileRows();
        if (!sizes.wgrad()) {
            workers.run(weights.tasks(), transformWeights);
        }
        for (chunk = 0; chunk < sizes.chunks(); chunk++) {
            workers.run(rows, transformSource);
            if (sizes.wgrad()) {
                workers.run(rows, transformOther);
                (chunk == 0 ? product : sum).run();
            } else {
                product.run();
                workers.run(rows, transformOther);
            }
        }
        if (sizes.wgrad()) {
            workers.run(weights.tasks(), gradient);
        }
    }

    @Override
    public void close() {
        product.close();
        if (sum != null) {
            sum.close();
        }
        zeros.close();
    }
}
