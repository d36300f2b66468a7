package io.firn.backend.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import io.firn.graph.DType;
import io.firn.graph.Shape;
import io.firn.plan.Layout;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.stream.LongStream;
import java.util.zip.CRC32;
import org.bytedeco.dnnl.dnnl_engine;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.dnnl.dnnl_primitive_attr;
import org.bytedeco.dnnl.dnnl_primitive_desc;
import org.bytedeco.dnnl.dnnl_stream;
import org.bytedeco.dnnl.dnnl_version_t;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;

/** oneDNN's engine and stream, and the one gate through which every call's status goes. */
final class OneDnn implements AutoCloseable {
    final dnnl_engine engine = new dnnl_engine();
    final dnnl_stream stream = new dnnl_stream();
    /** Scratch memory comes from the plan's arena, never from oneDNN's own allocator. */
    final dnnl_primitive_attr userScratch;
    private boolean closed;

    OneDnn() {
        check(dnnl_engine_create(engine, dnnl_cpu, 0), "dnnl_engine_create");
        check(dnnl_stream_create(stream, engine, dnnl_stream_default_flags), "dnnl_stream_create");
        userScratch = attributes();
    }

    /** A call of oneDNN that failed. */
    static final class Failed extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Failed(String call, int status) {
            super("%s: oneDNN status %d".formatted(call, status));
        }
    }

    static void check(int status, String call) {
        if (status != dnnl_success) {
            throw new Failed(call, status);
        }
    }

    /** Whether the call succeeded; "not supported" is an answer, anything else that went wrong an error. */
    static boolean supported(int status, String call) {
        if (status == dnnl_unimplemented || status == dnnl_last_impl_reached) {
            return false;
        }
        check(status, call);
        return true;
    }

    static String version() {
        try (dnnl_version_t v = dnnl_version()) {
            return "oneDNN %d.%d.%d".formatted(v.major(), v.minor(), v.patch());
        }
    }

    dnnl_primitive_attr attributes() {
        dnnl_primitive_attr a = new dnnl_primitive_attr();
        check(dnnl_primitive_attr_create(a), "dnnl_primitive_attr_create");
        check(dnnl_primitive_attr_set_scratchpad_mode(a, dnnl_scratchpad_mode_user), "dnnl_primitive_attr_set_scratchpad_mode");
        return a;
    }

    static int type(DType t) {
        return switch (t) {
            case F32 -> dnnl_f32;
            case BF16 -> dnnl_bf16;
            case F16 -> dnnl_f16;
            case U8 -> dnnl_u8;
            case I32 -> dnnl_s32;
        };
    }

    static long[] dims(Shape s) {
        return s.dims().stream().mapToLong(Integer::longValue).toArray();
    }

    /** A descriptor by format tag; the caller destroys it. */
    static dnnl_memory_desc describe(long[] dims, DType type, int tag) {
        dnnl_memory_desc md = new dnnl_memory_desc();
        check(dnnl_memory_desc_create_with_tag(md, dims.length, dims, type(type), tag), "dnnl_memory_desc_create_with_tag");
        return md;
    }

    /** A descriptor by strides, in elements; the caller destroys it. */
    static dnnl_memory_desc describe(long[] dims, DType type, long[] strides) {
        dnnl_memory_desc md = new dnnl_memory_desc();
        check(dnnl_memory_desc_create_with_strides(md, dims.length, dims, type(type), strides),
                "dnnl_memory_desc_create_with_strides");
        return md;
    }

    /** A descriptor of a tensor in an explicit layout; the caller destroys it. */
    static dnnl_memory_desc describe(Shape s, DType type, Layout layout) {
        int tag = switch (layout) {
            case Layout.Nhwc n -> dnnl_nhwc;
            case Layout.Blocked16 b -> dnnl_nChw16c;
            case Layout.Dense d -> switch (s.rank()) {
                case 1 -> dnnl_a;
                case 2 -> dnnl_ab;
                case 4 -> dnnl_abcd;
                default -> throw new IllegalArgumentException("no dense tag for " + s);
            };
            case Layout.Opaque o -> throw new IllegalArgumentException(o.label() + " has no tag");
        };
        return describe(dims(s), type, tag);
    }

    /** Weights [O,I,K,K] as oneDNN sees them: split by groups where there are several. */
    static long[] weightDims(Shape w, int groups) {
        int o = w.dim(0);
        return groups == 1 ? dims(w) : new long[] {groups, o / groups, w.dim(1), w.dim(2), w.dim(3)};
    }

    /** A descriptor that the primitive descriptor owns; null where it has none of the kind. */
    static dnnl_memory_desc query(dnnl_primitive_desc pd, int what) {
        dnnl_memory_desc md = dnnl_primitive_desc_query_md(pd, what, 0);
        return md == null || md.isNull() || dnnl_memory_desc_get_size(md) == 0 ? null : md;
    }

    static long size(dnnl_memory_desc md) {
        return md == null ? 0 : dnnl_memory_desc_get_size(md);
    }

    static String implementation(dnnl_primitive_desc pd) {
        try (var text = new PointerPointer<BytePointer>(1)) {
            check(dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, text), "dnnl_primitive_desc_query");
            return text.get(BytePointer.class, 0).getString();
        }
    }

    /**
     * A short name of a descriptor's layout, the same in every process: by what it says, since the bytes that it consists of
     * hold some that nobody has set.
     */
    static String tag(dnnl_memory_desc md) {
        int kind = number(md, dnnl_query_format_kind);
        int rank = number(md, dnnl_query_ndims_s32);
        StringBuilder text = new StringBuilder().append(kind).append(' ').append(number(md, dnnl_query_data_type)).append(' ')
                .append(size(md)).append(numbers(md, dnnl_query_dims, rank)).append(numbers(md, dnnl_query_padded_dims, rank));
        if (kind == dnnl_blocked) {
            int blocks = number(md, dnnl_query_inner_nblks_s32);
            text.append(numbers(md, dnnl_query_strides, rank)).append(numbers(md, dnnl_query_inner_blks, blocks))
                    .append(numbers(md, dnnl_query_inner_idxs, blocks));
        }
        CRC32 crc = new CRC32();
        crc.update(text.toString().getBytes(StandardCharsets.US_ASCII));
        return HexFormat.of().toHexDigits((int) crc.getValue());
    }

    private static int number(dnnl_memory_desc md, int what) {
        try (var number = new IntPointer(1)) {
            check(dnnl_memory_desc_query(md, what, number), "dnnl_memory_desc_query");
            return number.get();
        }
    }

    private static String numbers(dnnl_memory_desc md, int what, int count) {
        try (var list = new PointerPointer<LongPointer>(1)) {
            check(dnnl_memory_desc_query(md, what, list), "dnnl_memory_desc_query");
            LongPointer numbers = list.get(LongPointer.class, 0);
            return LongStream.range(0, count).map(numbers::get).boxed().toList().toString();
        }
    }

    /** A pointer to memory that somebody else owns. */
    static Pointer at(long address) {
        return new Address(address);
    }

    private static final class Address extends Pointer {
        Address(long at) {
            address = at;
        }
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        check(dnnl_primitive_attr_destroy(userScratch), "dnnl_primitive_attr_destroy");
        check(dnnl_stream_destroy(stream), "dnnl_stream_destroy");
        check(dnnl_engine_destroy(engine), "dnnl_engine_destroy");
    }
}
