package io.firn.backend.cpu;

import io.firn.graph.Activation;
import io.firn.graph.Conversion;
import io.firn.graph.Convolution;
import io.firn.graph.DType;
import io.firn.graph.Node;
import io.firn.graph.Shape;
import io.firn.graph.Value;
import io.firn.plan.Buffer;
import io.firn.plan.Layout;
import java.util.List;
import java.util.Optional;

/**
 * The sizes of a 3x3 convolution of stride 1, or of one of its gradients, by Winograd's F(2x2, 3x3) (Lavin and Gray 2016,
 * arXiv 1509.09308): tiles of 4x4 pixels that overlap by two are transformed, each of their 16 places is a matrix product
 * over channels, and the results are transformed back to 2x2 pixels: 16 multiplications where the direct way takes 36.
 *
 * <pre>
 * forward, dgrad   V = Bᵀ x B,  U = G w Gᵀ,   M[p] = V[p] U[p],   y = Aᵀ M A        p = 0 … 15
 * wgrad            V = Bᵀ x B,  D = A dy Aᵀ,  M[p] = V[p]ᵀ D[p],  dw = Gᵀ M G
 * </pre>
 *
 * @param direction of the convolution; the data gradient is the convolution of dy with the weights turned by half a turn
 * @param from      what is transformed by B: x, or dy for the data gradient
 * @param to        the other one; both [N,C,H,W] of the same extent
 * @param dtype     of both, and of V, U and D; M is f32
 * @param layout    of both
 * @param images    whose tiles are worked on at once, so that V and M stay in the last cache; a divisor of N
 * @param columns   of the result; of the weight gradient those that are worked on at once, all or, where {@code images} are
 *                  all of them, a divisor
 */
record Winograd(Product.Direction direction, Shape from, Shape to, DType dtype, Layout layout, int images, int columns) {
    /** Places of a tile. */
    static final int PLACES = 16;
    /** Name in tuning tables. */
    static final String NAME = "winograd#0";

    /** Matrices begin at another place of the cache than their neighbours: 16 streams of one stride would evict each other. */
    private static final int PAD = 32;
    private static final int LEAST_EXTENT = 4;
    private static final int LEAST_PIXELS = 256;
    private static final int LEAST_PIXELS_16 = 2048;
    private static final int LEAST_CHANNELS_16 = 64;
    /** Output channels below which products become slow. */
    private static final int LEAST_COLUMNS = 64;
    /** Of V and M together, and of what is worked on beside them. */
    private static final long CHUNK_BYTES = 14L << 20;

    /** How this product would be computed so; empty where it cannot be. */
    static Optional<Winograd> of(Product p) {
        boolean plain = p.groups() == 1 && p.w().dim(2) == 3 && p.stride() == 1 && p.padding() == 1
                && p.x().c() % 16 == 0 && p.w().dim(0) % 16 == 0;
        if (!plain || !roundsWell(p) || p.xLayout() instanceof Layout.Dense || !p.xLayout().equals(p.yLayout())) {
            return Optional.empty();
        }
        boolean dgrad = p.direction() == Product.Direction.DGRAD;
        Winograd whole = new Winograd(p.direction(), dgrad ? p.y() : p.x(), dgrad ? p.x() : p.y(), p.dtype(), p.xLayout(),
                p.x().n(), (dgrad ? p.x() : p.y()).c());
        if (hasTail(p) && !(p.bias() && whole.f32() && p.activation().filter(a -> a != Activation.Kind.RELU).isEmpty())) {
            return Optional.empty();
        }
        if (whole.wgrad()) {
            for (int columns = whole.columns; columns % 32 == 0 && columns >= LEAST_COLUMNS; columns /= 2) {
                Winograd part = whole.with(whole.images, columns);
                if (part.bytes() <= CHUNK_BYTES) {
                    return Optional.of(part);
                }
            }
        }
        int images = p.x().n();
        while (images > 1 && (p.x().n() % images != 0 || whole.with(images, whole.columns).chunkBytes() > CHUNK_BYTES)) {
            images--;
        }
        return Optional.of(whole.with(images, whole.columns));
    }

    /**
     * Whether the roundings of transformed values drown in the sum. A result also hears its tile's other pixels: at a border
     * it may be a sum of few products, beside neighbours that are sums of many; and bf16 is coarse.
     */
    private static boolean roundsWell(Product p) {
        boolean tiles = p.x().h() >= LEAST_EXTENT && p.x().w() >= LEAST_EXTENT;
        if (p.direction() == Product.Direction.WGRAD) {
            return tiles && p.x().n() * p.x().area() >= (p.dtype() == DType.F32 ? LEAST_PIXELS : LEAST_PIXELS_16);
        }
        return tiles && (p.dtype() == DType.F32 || Math.min(p.x().c(), p.y().c()) >= LEAST_CHANNELS_16);
    }

    /** Whether a bias, another tensor or an activation follows, as after a frozen convolution. */
    private static boolean hasTail(Product p) {
        return p.bias() || p.residual() || p.activation().isPresent();
    }

    /**
     * What these nodes are as such a convolution. Weights that are trained are read where they lie, by the nodes of one
     * launch; those that are frozen have been folded, once, into what {@code nodes} reads.
     */
    static Optional<Product> asProduct(List<Node> nodes, Layout layout) {
        List<Node> product = product(nodes);
        return Product.of(product, layout).filter(p -> p.bias() || product.size() < nodes.size());
    }

    /** The convolution among these nodes, without the casts that pack its weights or unpack their gradient. */
    static List<Node> product(List<Node> nodes) {
        if (nodes.size() != 2) {
            return nodes;
        }
        boolean packs = nodes.getFirst().op() instanceof Conversion.Cast
                && nodes.getLast().inputs().indexOf(nodes.getFirst().output()) == 1;
        boolean unpacks = nodes.getLast().op() instanceof Conversion.Cast
                && nodes.getLast().input(0).equals(nodes.getFirst().output());
        return packs ? nodes.subList(1, 2) : unpacks ? nodes.subList(0, 1) : nodes;
    }

    /** The weights that these nodes read dense, or their gradient that they write so. */
    static Value weights(List<Node> nodes) {
        Node first = nodes.getFirst();
        if (first.op() instanceof Conversion.Cast) {
            return first.input(0);
        }
        return first.op() instanceof Convolution.Forward ? first.input(1) : nodes.getLast().output();
    }

    /** Whether {@link WinogradF32Kernel} computes it: a vector's 16 lanes and 32 registers are what it is written for. */
    boolean f32() {
        return dtype == DType.F32 && !wgrad() && Simd.LANES == 16 && to.c() % WinogradF32Kernel.PANEL == 0;
    }

    private Winograd with(int someImages, int someColumns) {
        return new Winograd(direction, from, to, dtype, layout, someImages, someColumns);
    }

    boolean wgrad() {
        return direction == Product.Direction.WGRAD;
    }

    int chunks() {
        return from.n() / images;
    }

    int tileRows() {
        return (from.h() + 1) / 2;
    }

    int tileColumns() {
        return (from.w() + 1) / 2;
    }

    /** In all images of a chunk. */
    int tiles() {
        return images * tileRows() * tileColumns();
    }

    /** Elements from one place's matrix to the next in V. */
    long sourceStride() {
        return (long) tiles() * from.c() + PAD;
    }

    /** The same in D, and in M of the forward and the data gradient. */
    long resultStride() {
        return (long) tiles() * columns + PAD;
    }

    /** Bytes of what the source's tiles become. */
    long transformedBytes() {
        return Buffer.align(PLACES * sourceStride() * dtype.bytes());
    }

    /** Bytes of the results' tiles, or of dy's for the weight gradient. */
    long resultBytes() {
        return Buffer.align(PLACES * resultStride() * (wgrad() ? dtype : DType.F32).bytes());
    }

    /** Elements from one place's matrix to the next in U, or in M of the weight gradient. */
    long weightStride() {
        return (long) from.c() * columns + PAD;
    }

    /** Bytes of the 16 matrices of weights, or of their gradients. */
    long weightBytes() {
        return Buffer.align(PLACES * weightStride() * (wgrad() ? DType.F32 : dtype).bytes());
    }

    private long chunkBytes() {
        return transformedBytes() + resultBytes();
    }

    /** Bytes of scratch memory before the product's own. */
    long bytes() {
        return chunkBytes() + weightBytes();
    }
}
