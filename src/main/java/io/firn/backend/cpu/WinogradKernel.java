package io.firn.backend.cpu;

import io.firn.graph.DType;
import java.util.List;
import java.util.Optional;

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
    /** Output channel where those of the weight gradient begin that are worked on. */
    private int first;

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
        workers.reserve(WinogradTiles.scratchBytes(sizes));
        workers.reserveFloats(WinogradWeights.SCRATCH_FLOATS);
        boolean bf16 = sizes.dtype() == DType.BF16;
        long v = scratch;
        long m = v + sizes.transformedBytes();
        long u = m + sizes.resultBytes();
        long own = u + sizes.weightBytes();
        zeros = new NativeArena(Math.max(WinogradTiles.rowBytes(from), WinogradTiles.rowBytes(to)));
        source = new WinogradTiles(sizes, from, sizes.sourceStride(), bf16, zeros.address());
        other = new WinogradTiles(sizes, to, sizes.resultStride(), sizes.wgrad() && bf16, zeros.address());
        weights = new WinogradWeights(w.type().shape(), w.address(), u, sizes.columns(), sizes.weightStride(),
                sizes.direction() == Product.Direction.DGRAD, !sizes.wgrad() && bf16);
        try {
            product = primitive(dnn, descriptors, false, v, m, u, own);
            sum = sizes.wgrad() && sizes.chunks() > 1 ? primitive(dnn, descriptors, true, v, m, u, own) : null;
        } catch (RuntimeException | Error e) {
            zeros.close();
            throw e;
        }
        transformWeights = (i, thread) -> weights.transform(i, workers.floats(thread));
        long sourceRow = (long) sizes.tileColumns() * sizes.from().c() * sizes.dtype().bytes();
        transformSource = (i, thread) -> source.source(image(i), i % sizes.tileRows(), v + i * sourceRow,
                workers.scratch(thread));
        long otherRow = (long) sizes.tileColumns() * sizes.columns() * (sizes.wgrad() ? sizes.dtype().bytes() : 4);
        transformOther = sizes.wgrad()
                ? (i, thread) -> other.gradient(image(i), i % sizes.tileRows(), first, sizes.columns(), m + i * otherRow,
                        workers.scratch(thread))
                : (i, thread) -> other.result(image(i), i % sizes.tileRows(), m + i * otherRow, workers.scratch(thread));
        gradient = (i, thread) -> weights.gradient(first, i, workers.floats(thread));
    }

    /** The kernel that is the fastest for these sizes; only that for f32 is asked for a tail. */
    static Executable of(OneDnn dnn, Descriptors descriptors, Winograd sizes, Tensor from, Tensor to, Tensor w,
                         Optional<WinogradTail> tail, long scratch, Workers workers) {
        return sizes.f32() ? new WinogradF32Kernel(sizes, from, to, w, tail, scratch, workers)
                : new WinogradKernel(dnn, descriptors, sizes, from, to, w, scratch, workers);
    }

    private Primitive primitive(OneDnn dnn, Descriptors descriptors, boolean adds, long v, long m, long u, long own) {
        Descriptor d = descriptors.matrices(new Descriptors.Batch(sizes, adds));
        return new Primitive(dnn, "winograd", d.handle(), sizes.wgrad() ? d.arguments(v, m, u) : d.arguments(v, u, m), own);
    }

    /** Bytes of scratch memory. */
    static long workspace(Descriptors descriptors, Winograd w) {
        if (w.f32()) {
            return WinogradF32Kernel.workspace(w);
        }
        long own = descriptors.matrices(new Descriptors.Batch(w, false)).scratch();
        return w.bytes() + (w.wgrad() ? Math.max(own, descriptors.matrices(new Descriptors.Batch(w, true)).scratch()) : own);
    }

    private int image(int task) {
        return chunk * sizes.images() + task / sizes.tileRows();
    }

    @Override
    public void run() {
        if (sizes.wgrad()) {
            runGradient();
            return;
        }
        workers.run(weights.tasks(), transformWeights);
        for (chunk = 0; chunk < sizes.chunks(); chunk++) {
            workers.run(rows(), transformSource);
            product.run();
            workers.run(rows(), transformOther);
        }
    }

    /** All output channels of one chunk of images after the other, or some at a time of all images. */
    private void runGradient() {
        for (chunk = 0; chunk < sizes.chunks(); chunk++) {
            workers.run(rows(), transformSource);
            for (first = 0; first < sizes.to().c(); first += sizes.columns()) {
                workers.run(rows(), transformOther);
                (chunk == 0 ? product : sum).run();
                if (chunk == sizes.chunks() - 1) {
                    workers.run(weights.tasks(sizes.columns()), gradient);
                }
            }
        }
    }

    private int rows() {
        return sizes.images() * sizes.tileRows();
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
