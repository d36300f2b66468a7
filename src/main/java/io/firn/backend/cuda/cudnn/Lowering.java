package io.firn.backend.cuda.cudnn;

import io.firn.backend.cuda.cudnn.CudnnGraph.Tensor;
import io.firn.backend.cuda.cudnn.Operation.Mode;
import io.firn.backend.cuda.cudnn.Operation.Window;
import io.firn.graph.Activation;
import io.firn.graph.Convolution;
import io.firn.graph.DType;
import io.firn.graph.Elementwise;
import io.firn.graph.Linear;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Op;
import io.firn.graph.Shape;
import io.firn.graph.Value;
import io.firn.plan.Precision;
import io.firn.plan.Subgraph;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/**
 * Turns a subgraph around one product into cuDNN's operations. Activations and weights lie as {@code Layout.NHWC} (weights
 * [O,K,K,I], in the type of the activations), vectors as [1,C,1,1].
 *
 * <pre>
 * bn_apply+relu+conv+bn_statistics   →   mul, add, relu | forward | genstats
 * conv_dgrad+bn_apply+silu_grad+bn_grad_sums   →   dgrad | mul, add, swish' | sum, mul, sum
 * </pre>
 *
 * What passes from one operation to the next is virtual: in the activations' type before the product, whose operand it
 * becomes, and in f32 after it (cuDNN 9.24 has no engines for the other ways round).
 */
public final class Lowering {
    /** Of every tensor's address; buffers are aligned to more. */
    private static final long ALIGNMENT = 16;
    /** That engines of 16-bit types take in a weight gradient. */
    public static final int LEAST_CHANNELS = 4;

    private final Subgraph subgraph;
    private final Precision precision;
    private final Form form;
    private final Node product;
    /** What the product's operands are computed from. */
    private final Set<Value> before = new HashSet<>();
    private final Map<Value, Tensor> tensors = new HashMap<>();
    private final List<Operation> operations = new ArrayList<>();
    private long ids;

    private Lowering(Subgraph subgraph, Precision precision, Form form, Node product) {
        this.subgraph = subgraph;
        this.precision = precision;
        this.form = form;
        this.product = product;
        before.addAll(product.inputs());
        for (Node n : subgraph.nodes().reversed()) {
            if (n.outputs().stream().anyMatch(before::contains)) {
                before.addAll(n.inputs());
            }
        }
    }

    /**
     * How a product is asked for.
     *
     * @param channels of a convolution's operand and weights at least; those beyond the subgraph's are 0
     * @param narrow   whether a weight gradient comes in the type of the operands, and not in f32
     */
    private record Form(int channels, boolean narrow) {
        private static final Form PLAIN = new Form(0, false);
        private static final Form NARROW = new Form(0, true);
    }

    /**
     * The graphs that compute a subgraph, best first; empty where cuDNN has no operation for one of its ops, or not one
     * product is in it. Their inputs and outputs are those of the subgraph, in another type or with more channels where no
     * engine of 16-bit types takes them as they are:
     * <ul>
     * <li>a weight gradient of three channels is asked for with four, since only narrow ones of three are found, with much
     *     workspace; so is the convolution, which then reads the same;
     * <li>one of groups is asked for as narrow, which is found at every size;
     * <li>scale and shift before a weight gradient have its operands' type.
     * </ul>
     */
    public static List<CudnnGraph> ways(Subgraph s, Precision p) {
        List<Node> products = s.nodes().stream().filter(n -> isProduct(n.op())).toList();
        if (products.size() != 1) {
            return List.of();
        }
        Node product = products.getFirst();
        return forms(s, product).stream().map(f -> new Lowering(s, p, f, product).lower()).flatMap(Optional::stream).toList();
    }

    private static List<Form> forms(Subgraph s, Node product) {
        Value x = product.input(0);
        boolean wider = widens(product, x) && s.inputs().contains(x);
        Form whole = wider ? new Form(LEAST_CHANNELS, false) : Form.PLAIN;
        return switch (product.op()) {
            case Convolution.Forward f when wider -> List.of(whole, Form.PLAIN);
            case Convolution.Wgrad w when x.dtype() != product.output().dtype() ->
                    w.groups() > 1 ? List.of(Form.NARROW, Form.PLAIN) : List.of(whole, Form.NARROW);
            default -> List.of(Form.PLAIN);
        };
    }

    /** Whether the best graph for a product has more channels of this operand than there are. */
    public static boolean widens(Node product, Value operand) {
        return isFew(operand) && switch (product.op()) {
            case Convolution.Forward f -> f.groups() == 1;
            case Convolution.Wgrad w -> w.groups() == 1 && operand == product.input(0);
            default -> false;
        };
    }

    /** Whether a map or a convolution's weights have fewer channels than engines take. */
    public static boolean isFew(Value v) {
        return v.shape().rank() == 4 && v.shape().c() < LEAST_CHANNELS && v.dtype().bytes() == 2;
    }

    /** The best of them. */
    public static Optional<CudnnGraph> of(Subgraph s, Precision p) {
        return ways(s, p).stream().findFirst();
    }

    private static boolean isProduct(Op op) {
        return op instanceof Convolution || op instanceof Linear && !(op instanceof Linear.BiasGrad);
    }

    private Optional<CudnnGraph> lower() {
        subgraph.inputs().forEach(v -> define(v, isVectorOfWgrad(v) ? precision.activation() : v.dtype(), false));
        for (Node n : subgraph.nodes()) {
            if (!add(n)) {
                return Optional.empty();
            }
        }
        return Optional.of(new CudnnGraph(subgraph.inputs().stream().map(tensors::get).toList(),
                subgraph.outputs().stream().map(tensors::get).toList(), operations, precision == Precision.TF32));
    }

    /** Adds a node's operations; false where cuDNN has none. */
    private boolean add(Node n) {
        switch (n.op()) {
            case Convolution.Forward f -> forward(n, y -> new Operation.ConvolutionForward(in(n, 0), in(n, 1), y, window(f)));
            case Convolution.Dgrad d -> operations.add(new Operation.ConvolutionDgrad(in(n, 0), in(n, 1), out(n, 0), window(d)));
            case Convolution.Wgrad w -> wgrad(n, w);
            case Linear.Forward f -> forward(n, y -> new Operation.Matmul(in(n, 0), in(n, 1), y));
            case Linear.Dgrad d -> operations.add(new Operation.Matmul(in(n, 0), in(n, 1), out(n, 0)));
            case Linear.Wgrad w -> operations.add(new Operation.Matmul(in(n, 1), in(n, 0), out(n, 0)));
            case Normalization.Apply a when n.inputs().size() == 2 -> pointwise(Mode.MUL, in(n, 0), in(n, 1), out(n, 0));
            case Normalization.Apply a -> pointwise(Mode.ADD, pointwise(Mode.MUL, in(n, 0), in(n, 1), like(n.output())),
                    in(n, 2), out(n, 0));
            case Normalization.Statistics s -> operations.add(new Operation.Statistics(in(n, 0), out(n, 0), out(n, 1)));
            case Normalization.GradSums s -> gradSums(n);
            // The derivative of max(x, 0) is that at its result: then the result itself is not needed.
            case Activation.Forward a when isOnlyForGradient(n) -> tensors.put(n.output(), in(n, 0));
            case Activation.Forward a -> operations.add(new Operation.Pointwise(mode(a.kind()), in(n, 0), Optional.empty(),
                    out(n, 0)));
            case Activation.Grad g when g.kind() != Activation.Kind.SIGMOID ->
                    operations.add(new Operation.PointwiseGrad(mode(g.kind()), in(n, 0), in(n, 1), out(n, 0)));
            case Elementwise.Add a -> pointwise(Mode.ADD, in(n, 0), in(n, 1), out(n, 0));
            default -> {
                return false;
            }
        }
        return true;
    }

    private void forward(Node n, Function<Tensor, Operation> operation) {
        if (n.inputs().size() == 2) {
            operations.add(operation.apply(out(n, 0)));
        } else {
            Tensor sum = like(n.output());
            operations.add(operation.apply(sum));
            pointwise(Mode.ADD, sum, in(n, 2), out(n, 0));
        }
    }

    /** From 16-bit operands only a virtual gradient is f32, and the identity stores it. */
    private void wgrad(Node n, Convolution.Wgrad w) {
        DType operands = n.input(0).dtype();
        boolean direct = form.narrow || operands == n.output().dtype();
        Tensor dw = direct ? define(n.output(), operands, false) : like(n.output());
        operations.add(new Operation.ConvolutionWgrad(in(n, 0), in(n, 1), dw, window(w)));
        if (!direct) {
            operations.add(new Operation.Pointwise(Mode.IDENTITY, dw, Optional.empty(), out(n, 0)));
        }
    }

    /** dweight = Σ dy · (x - mean) · invstd, dbias = Σ dy. */
    private void gradSums(Node n) {
        Tensor dy = in(n, 0);
        Value x = n.input(1);
        Tensor centred = pointwise(Mode.SUB, in(n, 1), in(n, 2), like(x));
        Tensor normal = pointwise(Mode.MUL, centred, in(n, 3), like(x));
        operations.add(new Operation.Sum(pointwise(Mode.MUL, dy, normal, like(x)), out(n, 0)));
        operations.add(new Operation.Sum(dy, out(n, 1)));
    }

    private Tensor pointwise(Mode mode, Tensor x, Tensor b, Tensor y) {
        operations.add(new Operation.Pointwise(mode, x, Optional.of(b), y));
        return y;
    }

    private boolean isOnlyForGradient(Node n) {
        Value y = n.output();
        return n.op() instanceof Activation.Forward(Activation.Kind kind) && kind == Activation.Kind.RELU
                && !subgraph.outputs().contains(y)
                && subgraph.nodes().stream().filter(r -> r.inputs().contains(y))
                        .allMatch(r -> r.op() instanceof Activation.Grad && r.input(0) != y);
    }

    private Tensor in(Node n, int i) {
        return tensors.get(n.input(i));
    }

    private Tensor out(Node n, int i) {
        Value v = n.outputs().get(i);
        boolean virtual = !subgraph.outputs().contains(v);
        return define(v, virtual ? virtualType(v) : v.dtype(), virtual);
    }

    /** A virtual tensor for a value on its way to being {@code v}. */
    private Tensor like(Value v) {
        return tensor(v, virtualType(v), true);
    }

    private DType virtualType(Value v) {
        return before.contains(v) ? precision.activation() : DType.F32;
    }

    private boolean isVectorOfWgrad(Value v) {
        return product.op() instanceof Convolution.Wgrad && v.shape().rank() == 1;
    }

    private Tensor define(Value v, DType type, boolean virtual) {
        Tensor t = tensor(v, type, virtual);
        tensors.put(v, t);
        return t;
    }

    private Tensor tensor(Value v, DType type, boolean virtual) {
        ids++;
        return product.op() instanceof Linear ? matrix(v, type, virtual) : map(padded(v), type, virtual);
    }

    private Shape padded(Value v) {
        Shape s = v.shape();
        boolean concerned = v == product.input(0) || v == (product.op() instanceof Convolution.Wgrad ? product.output()
                : product.input(1));
        return concerned && s.c() < form.channels ? Shape.of(s.n(), form.channels, s.h(), s.w()) : s;
    }

    /** [N,C,H,W] with the channels innermost; vectors as [1,C,1,1]. */
    private Tensor map(Shape s, DType type, boolean virtual) {
        boolean vector = s.rank() == 1;
        long n = vector ? 1 : s.n();
        long c = vector ? s.dim(0) : s.c();
        long h = vector ? 1 : s.h();
        long w = vector ? 1 : s.w();
        return new Tensor(ids, List.of(n, c, h, w), List.of(c * h * w, 1L, c * w, c), type, virtual, ALIGNMENT);
    }

    /** [1,M,N]; the operands of which Firn's products take the transpose are described transposed, as they lie. */
    private Tensor matrix(Value v, DType type, boolean virtual) {
        long rows = v.shape().rank() == 1 ? 1 : v.shape().dim(0);
        long columns = v.shape().elements() / rows;
        boolean transposed = product.op() instanceof Linear.Forward && v == product.input(1)
                || product.op() instanceof Linear.Wgrad && v == product.input(1);
        List<Long> dims = transposed ? List.of(1L, columns, rows) : List.of(1L, rows, columns);
        List<Long> strides = transposed ? List.of(rows * columns, 1L, columns) : List.of(rows * columns, columns, 1L);
        return new Tensor(ids, dims, strides, type, virtual, ALIGNMENT);
    }

    private static Window window(Convolution c) {
        return new Window(c.padding(), c.stride());
    }

    private static Mode mode(Activation.Kind kind) {
        return switch (kind) {
            case RELU -> Mode.RELU;
            case SILU -> Mode.SWISH;
            case SIGMOID -> Mode.SIGMOID;
        };
    }
}
