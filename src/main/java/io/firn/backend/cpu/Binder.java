package io.firn.backend.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import io.firn.backend.Collectives;
import io.firn.graph.Collective;
import io.firn.graph.Convolution;
import io.firn.graph.Node;
import io.firn.graph.Update;
import io.firn.graph.Value;
import io.firn.plan.Buffer;
import io.firn.plan.Launch;
import io.firn.plan.Plan;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.dnnl.dnnl_primitive_desc;

/** Makes a plan's launches ready to run: finds their primitives and kernels, and binds their operands to addresses. */
final class Binder {
    private final OneDnn dnn;
    private final Descriptors descriptors;
    private final Workers workers;
    private final Plan plan;
    private final Map<Buffer.Arena, Long> bases;
    private final Collectives ranks;

    /** @param bases address of the first byte of each arena */
    Binder(OneDnn dnn, Descriptors descriptors, Workers workers, Plan plan, Map<Buffer.Arena, Long> bases,
           Collectives ranks) {
        this.dnn = dnn;
        this.descriptors = descriptors;
        this.workers = workers;
        this.plan = plan;
        this.bases = bases;
        this.ranks = ranks;
    }

    Executable bind(Launch l) {
        if (l.kernel().library().equals(CpuKernels.ONEDNN)) {
            return primitive(l);
        }
        List<Node> nodes = l.subgraph().nodes();
        return switch (l.kernel().name()) {
            case "fused" -> FusedKernel.compile(nodes, this::tensor, Set.copyOf(l.subgraph().outputs()), workers)::run;
            case "winograd_forward", "winograd_dgrad", "winograd_wgrad" -> winograd(nodes, scratch(l));
            case "gray_wgrad" -> gray(nodes.getFirst())::run;
            case "depthwise_wgrad" -> depthwise(nodes.getFirst())::run;
            case "update" -> update(nodes);
            case CpuKernels.ALL_REDUCE -> allReduce(nodes.getFirst());
            case "linear", "linear_dgrad" -> LinearKernel.of(nodes.getFirst(), this::tensor, workers)::run;
            default -> SmallKernels.of(nodes.getFirst(), this::tensor, workers)::run;
        };
    }

    private DepthwiseWgrad depthwise(Node n) {
        return new DepthwiseWgrad((Convolution.Wgrad) n.op(), tensor(n.input(0)), tensor(n.input(1)), tensor(n.output()), workers);
    }

    private Executable winograd(List<Node> nodes, long scratch) {
        Product p = Winograd.asProduct(nodes, plan.activations()).orElseThrow();
        List<Node> product = Winograd.product(nodes);
        Winograd sizes = Winograd.of(p).orElseThrow();
        Tensor from = tensor(product.getFirst().input(0));
        Tensor to = tensor(sizes.wgrad() ? product.getFirst().input(1) : product.getLast().output());
        return WinogradKernel.of(dnn, descriptors, sizes, from, to, tensor(Winograd.weights(nodes)),
                WinogradTail.of(p, product, this::tensor), scratch, workers);
    }

    private GrayWgrad gray(Node n) {
        return new GrayWgrad((Convolution.Wgrad) n.op(), tensor(n.input(0)), tensor(n.input(1)), tensor(n.output()), workers);
    }

    private AllReduceKernel allReduce(Node n) {
        return new AllReduceKernel((Collective.AllReduce) n.op(), n.inputs().stream().map(this::tensor).toList(),
                n.outputs().stream().map(this::tensor).toList(), ranks);
    }

    /** Averages come after the steps whose results they take. */
    private Executable update(List<Node> nodes) {
        List<UpdateKernel> stages = Stream.of(false, true).map(averages -> nodes.stream()
                .filter(n -> n.op() instanceof Update.Average == averages).toList())
                .filter(stage -> !stage.isEmpty()).map(this::updates).toList();
        return new Executable() {
            @Override
            public void run() {
                for (int i = 0; i < stages.size(); i++) {
                    stages.get(i).run();
                }
            }

            @Override
            public void close() {
                stages.forEach(UpdateKernel::close);
            }
        };
    }

    private UpdateKernel updates(List<Node> nodes) {
        Node first = nodes.getFirst();
        Update update = (Update) first.op();
        boolean scaled = update instanceof Update.Step step && step.isScaled(first.inputs());
        return new UpdateKernel(nodes.stream().map(n -> new UpdateKernel.Segment((Update) n.op(), tensor(n.input(0)).address(),
                tensor(n.input(1)).address(), n.inputs().subList(2, ((Update) n.op()).ratesAt()).stream()
                        .mapToLong(v -> tensor(v).address()).toArray(), n.input(0).shape().elements())).toList(),
                tensor(first.input(update.ratesAt())), scaled ? tensor(first.input(update.ratesAt() + 1)) : null, workers);
    }

    private Tensor tensor(Value v) {
        Buffer b = plan.buffers().get(v);
        return new Tensor(address(b), b.type(), b.layout());
    }

    private long address(Buffer b) {
        return bases.get(b.arena()) + b.offset();
    }

    private Executable primitive(Launch l) {
        Node n = l.subgraph().nodes().getFirst();
        List<Primitive.Argument> arguments = new ArrayList<>();
        dnnl_primitive_desc pd;
        switch (l.kernel().name()) {
            case "convolution_forward", "convolution_dgrad", "convolution_wgrad" -> pd = convolution(l, arguments);
            case "inner_product_wgrad" -> {
                pd = descriptors.linear(CpuKernels.matrices(n)).handle();
                queried(arguments, pd, DNNL_ARG_SRC, dnnl_query_src_md, n.input(0));
                queried(arguments, pd, DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md, n.input(1));
                queried(arguments, pd, DNNL_ARG_DIFF_WEIGHTS, dnnl_query_diff_weights_md, n.output());
            }
            case "pooling" -> {
                pd = descriptors.pool(CpuKernels.pool(l.subgraph(), plan.activations())).handle();
                queried(arguments, pd, DNNL_ARG_SRC, dnnl_query_src_md, n.input(0));
                queried(arguments, pd, DNNL_ARG_DST, dnnl_query_dst_md, n.output());
                if (l.subgraph().outputs().size() == 2) {
                    queried(arguments, pd, DNNL_ARG_WORKSPACE, dnnl_query_workspace_md, n.outputs().get(1));
                }
            }
            case "pooling_grad" -> {
                pd = descriptors.pool(CpuKernels.pool(l.subgraph(), plan.activations())).handle();
                queried(arguments, pd, DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md, n.input(0));
                queried(arguments, pd, DNNL_ARG_WORKSPACE, dnnl_query_workspace_md, n.input(1));
                queried(arguments, pd, DNNL_ARG_DIFF_SRC, dnnl_query_diff_src_md, n.output());
            }
            case "reorder" -> {
                return new Reorder(dnn, descriptors, l.name(), tensor(n.input(0)), tensor(n.output()), scratch(l));
            }
            default -> throw new IllegalArgumentException("no primitive is named " + l.kernel().name());
        }
        return new Primitive(dnn, l.name(), pd, arguments, scratch(l));
    }

    private dnnl_primitive_desc convolution(Launch l, List<Primitive.Argument> arguments) {
        Product p = Product.of(l.subgraph().nodes(), plan.activations()).orElseThrow();
        dnnl_primitive_desc pd = descriptors.convolution(p, l.kernel().variant()).orElseThrow().handle();
        Node n = l.subgraph().nodes().getFirst();
        switch (p.direction()) {
            case FORWARD -> {
                queried(arguments, pd, DNNL_ARG_SRC, dnnl_query_src_md, n.input(0));
                queried(arguments, pd, DNNL_ARG_WEIGHTS, dnnl_query_weights_md, n.input(1));
                queried(arguments, pd, DNNL_ARG_DST, dnnl_query_dst_md, l.subgraph().nodes().getLast().output());
                if (p.bias()) {
                    arguments.add(vector(DNNL_ARG_BIAS, n.input(2)));
                }
                if (p.residual()) {
                    queried(arguments, pd, DNNL_ARG_ATTR_MULTIPLE_POST_OP_BASE | DNNL_ARG_SRC_1, dnnl_query_dst_md,
                            Product.residualOf(l.subgraph().nodes()));
                }
            }
            case DGRAD -> {
                queried(arguments, pd, DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md, n.input(0));
                queried(arguments, pd, DNNL_ARG_WEIGHTS, dnnl_query_weights_md, n.input(1));
                queried(arguments, pd, DNNL_ARG_DIFF_SRC, dnnl_query_diff_src_md, n.output());
            }
            case WGRAD -> {
                queried(arguments, pd, DNNL_ARG_SRC, dnnl_query_src_md, n.input(0));
                queried(arguments, pd, DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md, n.input(1));
                queried(arguments, pd, DNNL_ARG_DIFF_WEIGHTS, dnnl_query_diff_weights_md, n.output());
            }
        }
        return pd;
    }

    private long scratch(Launch l) {
        return bases.get(Buffer.Arena.SCRATCH) + l.workspaceOffset();
    }

    /** An operand in the layout that the primitive has it in; its size must be the plan's. */
    private void queried(List<Primitive.Argument> to, dnnl_primitive_desc pd, int number, int what, Value v) {
        dnnl_memory_desc md = OneDnn.query(pd, what);
        Buffer b = plan.buffers().get(v);
        if (OneDnn.size(md) != b.bytes()) {
            throw new IllegalStateException("%s: the plan has %d bytes, oneDNN wants %d".formatted(v, b.bytes(),
                    OneDnn.size(md)));
        }
        to.add(new Primitive.Argument(number, md, address(b)));
    }

    private Primitive.Argument vector(int number, Value v) {
        return new Primitive.Argument(number, descriptors.vector(v.shape().dim(0)), address(plan.buffers().get(v)));
    }
}
