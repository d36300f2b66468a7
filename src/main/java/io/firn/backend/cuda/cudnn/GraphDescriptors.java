package io.firn.backend.cuda.cudnn;

import static org.bytedeco.cuda.global.cudnn.*;

import io.firn.backend.cuda.cudnn.CudnnGraph.Tensor;
import io.firn.backend.cuda.cudnn.Operation.Mode;
import io.firn.backend.cuda.cudnn.Operation.Window;
import io.firn.graph.DType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A {@link CudnnGraph} as cuDNN's descriptors: owns those of its tensors and operations, and the finished graph's. */
final class GraphDescriptors implements AutoCloseable {
    private final Map<Tensor, Descriptor> tensors = new HashMap<>();
    private final List<Descriptor> operations = new ArrayList<>();
    /** All, in the order in which they were made. */
    private final List<Descriptor> owned = new ArrayList<>();
    private final Descriptor graph;

    /**
     * Without a handle, as planning has none.
     *
     * @throws Descriptor.NotSupported where cuDNN takes no such graph
     */
    GraphDescriptors(CudnnGraph g) {
        try {
            g.operations().forEach(o -> operations.add(operation(o)));
            graph = make(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, "the graph")
                    .descriptors(CUDNN_ATTR_OPERATIONGRAPH_OPS, operations).finish();
        } catch (RuntimeException e) {
            close();
            throw e;
        }
    }

    Descriptor graph() {
        return graph;
    }

    private Descriptor make(int type, String name) {
        Descriptor d = new Descriptor(type, name);
        owned.add(d);
        return d;
    }

    private Descriptor operation(Operation o) {
        return switch (o) {
            case Operation.ConvolutionForward(Tensor x, Tensor w, Tensor y, Window win) ->
                    make(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, "forward")
                            .descriptor(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, window(win))
                            .descriptor(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, tensor(x))
                            .descriptor(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, tensor(w))
                            .descriptor(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, tensor(y))
                            .number(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, 1)
                            .number(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, 0).finish();
            case Operation.ConvolutionDgrad(Tensor dy, Tensor w, Tensor dx, Window win) ->
                    make(CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, "dgrad")
                            .descriptor(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, window(win))
                            .descriptor(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, tensor(dy))
                            .descriptor(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, tensor(w))
                            .descriptor(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, tensor(dx))
                            .number(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, 1)
                            .number(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA, 0).finish();
            case Operation.ConvolutionWgrad(Tensor x, Tensor dy, Tensor dw, Window win) ->
                    make(CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR, "wgrad")
                            .descriptor(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, window(win))
                            .descriptor(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, tensor(x))
                            .descriptor(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, tensor(dy))
                            .descriptor(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, tensor(dw))
                            .number(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, 1)
                            .number(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA, 0).finish();
            case Operation.Matmul(Tensor a, Tensor b, Tensor c) ->
                    make(CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR, "matmul")
                            .descriptor(CUDNN_ATTR_OPERATION_MATMUL_DESC, make(CUDNN_BACKEND_MATMUL_DESCRIPTOR, "product")
                                    .choice(CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT).finish())
                            .descriptor(CUDNN_ATTR_OPERATION_MATMUL_ADESC, tensor(a))
                            .descriptor(CUDNN_ATTR_OPERATION_MATMUL_BDESC, tensor(b))
                            .descriptor(CUDNN_ATTR_OPERATION_MATMUL_CDESC, tensor(c)).finish();
            case Operation.Pointwise p -> {
                Descriptor d = make(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, "pointwise")
                        .descriptor(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, mode(forward(p.mode())))
                        .descriptor(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, tensor(p.x()))
                        .descriptor(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, tensor(p.y()));
                p.b().ifPresent(b -> d.descriptor(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, tensor(b)));
                yield d.finish();
            }
            case Operation.PointwiseGrad(Mode mode, Tensor dy, Tensor x, Tensor dx) ->
                    make(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, "pointwise gradient")
                            .descriptor(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, mode(backward(mode)))
                            .descriptor(CUDNN_ATTR_OPERATION_POINTWISE_DYDESC, tensor(dy))
                            .descriptor(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, tensor(x))
                            .descriptor(CUDNN_ATTR_OPERATION_POINTWISE_DXDESC, tensor(dx)).finish();
            case Operation.Statistics(Tensor x, Tensor sum, Tensor squares) ->
                    make(CUDNN_BACKEND_OPERATION_GEN_STATS_DESCRIPTOR, "genstats")
                            .choice(CUDNN_ATTR_OPERATION_GENSTATS_MODE, CUDNN_TYPE_GENSTATS_MODE, CUDNN_GENSTATS_SUM_SQSUM)
                            .choice(CUDNN_ATTR_OPERATION_GENSTATS_MATH_PREC, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT)
                            .descriptor(CUDNN_ATTR_OPERATION_GENSTATS_XDESC, tensor(x))
                            .descriptor(CUDNN_ATTR_OPERATION_GENSTATS_SUMDESC, tensor(sum))
                            .descriptor(CUDNN_ATTR_OPERATION_GENSTATS_SQSUMDESC, tensor(squares)).finish();
            case Operation.Sum(Tensor x, Tensor y) -> make(CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR, "sum")
                    .descriptor(CUDNN_ATTR_OPERATION_REDUCTION_DESC, make(CUDNN_BACKEND_REDUCTION_DESCRIPTOR, "reduction")
                            .choice(CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, CUDNN_REDUCE_TENSOR_ADD)
                            .choice(CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT).finish())
                    .descriptor(CUDNN_ATTR_OPERATION_REDUCTION_XDESC, tensor(x))
                    .descriptor(CUDNN_ATTR_OPERATION_REDUCTION_YDESC, tensor(y)).finish();
        };
    }

    private Descriptor tensor(Tensor t) {
        Descriptor known = tensors.get(t);
        if (known == null) {
            known = make(CUDNN_BACKEND_TENSOR_DESCRIPTOR, "tensor " + t.id())
                    .longs(CUDNN_ATTR_TENSOR_UNIQUE_ID, t.id())
                    .longs(CUDNN_ATTR_TENSOR_DIMENSIONS, t.dims())
                    .longs(CUDNN_ATTR_TENSOR_STRIDES, t.strides())
                    .longs(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, t.alignment())
                    .choice(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, type(t.type()))
                    .flag(CUDNN_ATTR_TENSOR_IS_VIRTUAL, t.virtual()).finish();
            tensors.put(t, known);
        }
        return known;
    }

    private Descriptor window(Window w) {
        return make(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, "convolution")
                .choice(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT)
                .choice(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, CUDNN_CROSS_CORRELATION)
                .longs(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, 2)
                .longs(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, w.padding(), w.padding())
                .longs(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, w.padding(), w.padding())
                .longs(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, w.stride(), w.stride())
                .longs(CUDNN_ATTR_CONVOLUTION_DILATIONS, 1, 1).finish();
    }

    private Descriptor mode(int mode) {
        return make(CUDNN_BACKEND_POINTWISE_DESCRIPTOR, "pointwise mode")
                .choice(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, mode)
                .choice(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT).finish();
    }

    private static int forward(Mode m) {
        return switch (m) {
            case ADD -> CUDNN_POINTWISE_ADD;
            case SUB -> CUDNN_POINTWISE_SUB;
            case MUL -> CUDNN_POINTWISE_MUL;
            case IDENTITY -> CUDNN_POINTWISE_IDENTITY;
            case RELU -> CUDNN_POINTWISE_RELU_FWD;
            case SWISH -> CUDNN_POINTWISE_SWISH_FWD;
            case SIGMOID -> CUDNN_POINTWISE_SIGMOID_FWD;
        };
    }

    private static int backward(Mode m) {
        return switch (m) {
            case RELU -> CUDNN_POINTWISE_RELU_BWD;
            case SWISH -> CUDNN_POINTWISE_SWISH_BWD;
            case ADD, SUB, MUL, IDENTITY, SIGMOID -> throw new IllegalArgumentException("no gradient of " + m);
        };
    }

    private static int type(DType t) {
        return switch (t) {
            case F32 -> CUDNN_DATA_FLOAT;
            case BF16 -> CUDNN_DATA_BFLOAT16;
            case F16 -> CUDNN_DATA_HALF;
            case U8 -> CUDNN_DATA_UINT8;
            case I32 -> CUDNN_DATA_INT32;
        };
    }

    /** Those made last first, since they refer to those before. */
    @Override
    public void close() {
        owned.reversed().forEach(Descriptor::close);
        owned.clear();
    }
}
