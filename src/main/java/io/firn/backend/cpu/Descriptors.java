package io.firn.backend.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import io.firn.graph.Activation;
import io.firn.graph.DType;
import io.firn.graph.Pooling;
import io.firn.graph.Shape;
import io.firn.plan.Layout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.dnnl.dnnl_post_ops;
import org.bytedeco.dnnl.dnnl_primitive_attr;
import org.bytedeco.dnnl.dnnl_primitive_desc;

/**
 * Makes oneDNN's primitive descriptors, once each, and owns them: planning asks what there is, loading builds primitives
 * from the same ones. Also knows the packed layouts by the tags under which plans speak of them.
 */
final class Descriptors implements AutoCloseable {
    private final OneDnn dnn;
    private final Map<Variant, Optional<Descriptor>> convolutions = new HashMap<>();
    private final Map<Object, Descriptor> others = new HashMap<>();
    private final Map<Integer, dnnl_memory_desc> vectors = new HashMap<>();
    private final Map<String, Packed> packed = new HashMap<>();
    private final List<Descriptor> owned = new ArrayList<>();

    Descriptors(OneDnn dnn) {
        this.dnn = dnn;
    }

    private record Variant(Product product, int number) {
    }

    /** An implementation of a convolution by its number in oneDNN's order of preference; empty: it has no such. */
    Optional<Descriptor> convolution(Product p, int variant) {
        return convolutions.computeIfAbsent(new Variant(p, variant), v -> create(p, variant).map(pd -> {
            Descriptor d = new Descriptor(pd, OneDnn.implementation(pd), variant);
            owned.add(d);
            return d;
        }));
    }

    /** Every implementation of a convolution that oneDNN has here; empty: not supported. */
    List<Descriptor> convolutions(Product p) {
        List<Descriptor> all = new ArrayList<>();
        for (Optional<Descriptor> d = convolution(p, 0); d.isPresent(); d = convolution(p, all.size())) {
            all.add(d.get());
        }
        return all;
    }

    private Optional<dnnl_primitive_desc> create(Product p, int variant) {
        try (Scope s = new Scope()) {
            long[] weightDims = OneDnn.weightDims(p.w(), p.groups());
            dnnl_memory_desc x = s.own(OneDnn.describe(p.x(), p.dtype(), p.xLayout()));
            dnnl_memory_desc y = s.own(OneDnn.describe(p.y(), p.dtype(), p.yLayout()));
            dnnl_memory_desc w = s.own(OneDnn.describe(weightDims, p.dtype(), dnnl_format_tag_any));
            dnnl_memory_desc bias = p.bias() ? s.own(OneDnn.describe(Shape.of(p.w().dim(0)), DType.F32, Layout.DENSE)) : null;
            long[] stride = {p.stride(), p.stride()};
            long[] dilation = {0, 0};
            long[] before = {p.padding(), p.padding()};
            // The padding after is what the output's extent implies: with a stride it may be less.
            long[] after = {after(p.x().h(), p.y().h(), p), after(p.x().w(), p.y().w(), p)};
            dnnl_primitive_desc forward = new dnnl_primitive_desc();
            dnnl_primitive_attr attributes = p.direction() == Product.Direction.FORWARD ? s.attributes(p, y) : dnn.userScratch;
            int status = dnnl_convolution_forward_primitive_desc_create(forward, dnn.engine, dnnl_forward_training,
                    dnnl_convolution_direct, x, w, bias, y, stride, dilation, before, after, attributes);
            if (!OneDnn.supported(status, p.key())) {
                return Optional.empty();
            }
            if (p.direction() == Product.Direction.FORWARD) {
                return walk(forward, variant, p);
            }
            s.own(forward);
            dnnl_primitive_desc backward = new dnnl_primitive_desc();
            if (p.direction() == Product.Direction.DGRAD) {
                status = dnnl_convolution_backward_data_primitive_desc_create(backward, dnn.engine, dnnl_convolution_direct,
                        x, w, y, stride, dilation, before, after, forward, attributes);
            } else {
                dnnl_memory_desc dw = s.own(OneDnn.describe(weightDims, DType.F32, dnnl_format_tag_any));
                status = dnnl_convolution_backward_weights_primitive_desc_create(backward, dnn.engine,
                        dnnl_convolution_direct, x, dw, null, y, stride, dilation, before, after, forward, attributes);
            }
            return OneDnn.supported(status, p.key()) ? walk(backward, variant, p) : Optional.empty();
        }
    }

    private static int after(int in, int out, Product p) {
        return (out - 1) * p.stride() + p.w().dim(2) - in - p.padding();
    }

    private static Optional<dnnl_primitive_desc> walk(dnnl_primitive_desc pd, int variant, Product p) {
        for (int i = 0; i < variant; i++) {
            if (!OneDnn.supported(dnnl_primitive_desc_next_impl(pd), p.key())) {
                OneDnn.check(dnnl_primitive_desc_destroy(pd), "dnnl_primitive_desc_destroy");
                return Optional.empty();
            }
        }
        return Optional.of(pd);
    }

    /** The gradient of a weight [O,K] from x [N,K] and dy [N,O], in f32. */
    record Matrices(int n, int k, int o) {
    }

    Descriptor linear(Matrices m) {
        return others.computeIfAbsent(m, key -> {
            try (Scope s = new Scope()) {
                dnnl_memory_desc x = s.own(OneDnn.describe(Shape.of(m.n(), m.k()), DType.F32, Layout.DENSE));
                dnnl_memory_desc w = s.own(OneDnn.describe(Shape.of(m.o(), m.k()), DType.F32, Layout.DENSE));
                dnnl_memory_desc y = s.own(OneDnn.describe(Shape.of(m.n(), m.o()), DType.F32, Layout.DENSE));
                dnnl_primitive_desc forward = new dnnl_primitive_desc();
                OneDnn.check(dnnl_inner_product_forward_primitive_desc_create(forward, dnn.engine, dnnl_forward_training, x,
                        w, null, y, dnn.userScratch), "dnnl_inner_product_forward_primitive_desc_create");
                s.own(forward);
                dnnl_primitive_desc backward = new dnnl_primitive_desc();
                OneDnn.check(dnnl_inner_product_backward_weights_primitive_desc_create(backward, dnn.engine, x, w, null, y,
                        forward, dnn.userScratch), "dnnl_inner_product_backward_weights_primitive_desc_create");
                return kept(backward);
            }
        });
    }

    /** The 16 products of a Winograd convolution; {@code adds} to what is there already. */
    record Batch(Winograd sizes, boolean adds) {
    }

    Descriptor matrices(Batch batch) {
        Descriptor known = others.get(batch);
        if (known != null) {
            return known;
        }
        Winograd w = batch.sizes();
        int places = Winograd.PLACES;
        int tiles = w.tiles();
        int rows = w.from().c();
        int columns = w.columns();
        try (Scope s = new Scope()) {
            long source = w.sourceStride();
            long other = w.resultStride();
            long weights = w.weightStride();
            dnnl_memory_desc a = s.own(w.wgrad() ? OneDnn.describe(new long[] {places, rows, tiles}, w.dtype(),
                    new long[] {source, 1, rows}) : OneDnn.describe(new long[] {places, tiles, rows}, w.dtype(),
                    new long[] {source, rows, 1}));
            dnnl_memory_desc tileResults = s.own(OneDnn.describe(new long[] {places, tiles, columns},
                    w.wgrad() ? w.dtype() : DType.F32, new long[] {other, columns, 1}));
            dnnl_memory_desc u = s.own(OneDnn.describe(new long[] {places, rows, columns}, w.wgrad() ? DType.F32 : w.dtype(),
                    new long[] {weights, columns, 1}));
            dnnl_primitive_desc pd = new dnnl_primitive_desc();
            OneDnn.check(dnnl_matmul_primitive_desc_create(pd, dnn.engine, a, w.wgrad() ? tileResults : u, null,
                    w.wgrad() ? u : tileResults, batch.adds() ? s.adding() : dnn.userScratch),
                    "dnnl_matmul_primitive_desc_create");
            Descriptor d = kept(pd);
            others.put(batch, d);
            return d;
        }
    }

    /** Maximum pooling; {@code training} keeps the positions, which the gradient ({@code backward}) needs. */
    record Pool(Pooling.Max op, Shape x, Shape y, DType dtype, Layout layout, boolean training, boolean backward) {
    }

    Descriptor pool(Pool p) {
        Descriptor known = others.get(p);
        if (known != null) {
            return known;
        }
        try (Scope s = new Scope()) {
            dnnl_memory_desc x = s.own(OneDnn.describe(p.x(), p.dtype(), p.layout()));
            dnnl_memory_desc y = s.own(OneDnn.describe(p.y(), p.dtype(), p.layout()));
            long[] kernel = {p.op().kernel(), p.op().kernel()};
            long[] stride = {p.op().stride(), p.op().stride()};
            long[] dilation = {0, 0};
            long[] before = {p.op().padding(), p.op().padding()};
            long[] after = {poolAfter(p.x().h(), p.y().h(), p.op()), poolAfter(p.x().w(), p.y().w(), p.op())};
            Descriptor d;
            if (p.backward()) {
                dnnl_primitive_desc forward = pool(new Pool(p.op(), p.x(), p.y(), p.dtype(), p.layout(), true, false)).handle();
                dnnl_primitive_desc pd = new dnnl_primitive_desc();
                OneDnn.check(dnnl_pooling_backward_primitive_desc_create(pd, dnn.engine, dnnl_pooling_max, x, y, stride,
                        kernel, dilation, before, after, forward, dnn.userScratch),
                        "dnnl_pooling_backward_primitive_desc_create");
                d = kept(pd);
            } else {
                dnnl_primitive_desc pd = new dnnl_primitive_desc();
                OneDnn.check(dnnl_pooling_forward_primitive_desc_create(pd, dnn.engine,
                        p.training() ? dnnl_forward_training : dnnl_forward_inference, dnnl_pooling_max, x, y, stride, kernel,
                        dilation, before, after, dnn.userScratch), "dnnl_pooling_forward_primitive_desc_create");
                d = kept(pd);
            }
            others.put(p, d);
            return d;
        }
    }

    private static int poolAfter(int in, int out, Pooling.Max op) {
        return (out - 1) * op.stride() + op.kernel() - in - op.padding();
    }

    /** The layout of an f32 vector, such as a bias. */
    dnnl_memory_desc vector(int extent) {
        return vectors.computeIfAbsent(extent, n -> OneDnn.describe(Shape.of(n), DType.F32, Layout.DENSE));
    }

    private Descriptor kept(dnnl_primitive_desc pd) {
        Descriptor d = new Descriptor(pd, OneDnn.implementation(pd), 0);
        owned.add(d);
        return d;
    }

    /** A layout of oneDNN's own, and the extents that it gives the tensor (weights split by groups). */
    record Packed(dnnl_memory_desc layout, long[] dims) {
    }

    /** The layout of a memory descriptor that belongs to one of these primitives: opaque, but found again by its tag. */
    Layout.Opaque opaque(dnnl_memory_desc md, long[] dims) {
        String tag = OneDnn.tag(md);
        // What a tag does not say, such as sums that ride along with weights, the library can still tell apart.
        while (packed.containsKey(tag) && dnnl_memory_desc_equal(packed.get(tag).layout, md) == 0) {
            tag += "'";
        }
        packed.putIfAbsent(tag, new Packed(md, dims));
        return new Layout.Opaque(tag, OneDnn.size(md));
    }

    Packed packed(Layout.Opaque layout) {
        Packed p = packed.get(layout.tag());
        if (p == null) {
            throw new IllegalStateException("no primitive of this process has the layout " + layout.label());
        }
        return p;
    }

    /** Destroys what was made on the way to a primitive descriptor. */
    private final class Scope implements AutoCloseable {
        private final List<Runnable> ends = new ArrayList<>();

        dnnl_memory_desc own(dnnl_memory_desc md) {
            ends.add(() -> OneDnn.check(dnnl_memory_desc_destroy(md), "dnnl_memory_desc_destroy"));
            return md;
        }

        dnnl_primitive_desc own(dnnl_primitive_desc pd) {
            ends.add(() -> OneDnn.check(dnnl_primitive_desc_destroy(pd), "dnnl_primitive_desc_destroy"));
            return pd;
        }

        /** The result is added to what its memory holds. */
        dnnl_primitive_attr adding() {
            dnnl_primitive_attr a = dnn.attributes();
            ends.add(() -> OneDnn.check(dnnl_primitive_attr_destroy(a), "dnnl_primitive_attr_destroy"));
            dnnl_post_ops after = new dnnl_post_ops();
            OneDnn.check(dnnl_post_ops_create(after), "dnnl_post_ops_create");
            OneDnn.check(dnnl_post_ops_append_sum(after, 1, 0, dnnl_data_type_undef), "dnnl_post_ops_append_sum");
            OneDnn.check(dnnl_primitive_attr_set_post_ops(a, after), "dnnl_primitive_attr_set_post_ops");
            OneDnn.check(dnnl_post_ops_destroy(after), "dnnl_post_ops_destroy");
            return a;
        }

        /** What follows the convolution in the same call. */
        dnnl_primitive_attr attributes(Product p, dnnl_memory_desc y) {
            if (!p.residual() && p.activation().isEmpty()) {
                return dnn.userScratch;
            }
            dnnl_primitive_attr a = dnn.attributes();
            ends.add(() -> OneDnn.check(dnnl_primitive_attr_destroy(a), "dnnl_primitive_attr_destroy"));
            dnnl_post_ops after = new dnnl_post_ops();
            OneDnn.check(dnnl_post_ops_create(after), "dnnl_post_ops_create");
            if (p.residual()) {
                OneDnn.check(dnnl_post_ops_append_binary(after, dnnl_binary_add, y), "dnnl_post_ops_append_binary");
            }
            p.activation().ifPresent(kind -> OneDnn.check(dnnl_post_ops_append_eltwise(after, eltwise(kind),
                    kind == Activation.Kind.SILU ? 1 : 0, 0), "dnnl_post_ops_append_eltwise"));
            OneDnn.check(dnnl_primitive_attr_set_post_ops(a, after), "dnnl_primitive_attr_set_post_ops");
            OneDnn.check(dnnl_post_ops_destroy(after), "dnnl_post_ops_destroy");
            return a;
        }

        @Override
        public void close() {
            ends.reversed().forEach(Runnable::run);
        }
    }

    private static int eltwise(Activation.Kind kind) {
        return switch (kind) {
            case RELU -> dnnl_eltwise_relu;
            case SILU -> dnnl_eltwise_swish;
            case SIGMOID -> dnnl_eltwise_logistic;
        };
    }

    @Override
    public void close() {
        for (Descriptor d : owned) {
            d.close();
        }
        owned.clear();
        vectors.values().forEach(md -> OneDnn.check(dnnl_memory_desc_destroy(md), "dnnl_memory_desc_destroy"));
        vectors.clear();
        convolutions.clear();
        others.clear();
        packed.clear();
    }
}
