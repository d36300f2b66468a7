package io.firn.backend.cuda.cudnn;

import io.firn.backend.cuda.cudnn.CudnnGraph.Tensor;
import io.firn.backend.cuda.cudnn.Operation.Mode;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Computes a {@link CudnnGraph} in double precision, by what cuDNN's documentation says of each operation and attribute.
 * Tensors are buffers in memory order, read and written through their strides.
 */
public final class CudnnInterpreter {
    private final Map<Long, double[]> buffers = new HashMap<>();

    private CudnnInterpreter() {
    }

    /** @param inputs in the order of the graph's inputs; the results are in the order of its outputs */
    public static List<double[]> run(CudnnGraph g, List<double[]> inputs) {
        CudnnInterpreter i = new CudnnInterpreter();
        for (int k = 0; k < inputs.size(); k++) {
            i.buffers.put(g.inputs().get(k).id(), inputs.get(k));
        }
        g.operations().forEach(i::run);
        return g.outputs().stream().map(t -> i.buffers.get(t.id())).toList();
    }

    private void run(Operation o) {
        o.writes().forEach(t -> buffers.put(t.id(), new double[elements(t)]));
        switch (o) {
            case Operation.ConvolutionForward(Tensor x, Tensor w, Tensor y, Operation.Window window) -> {
                double[] from = buffers.get(x.id());
                double[] weights = buffers.get(w.id());
                double[] to = buffers.get(y.id());
                convolve(x, w, y, window, (i, j, k) -> to[k] += from[i] * weights[j]);
            }
            case Operation.ConvolutionDgrad(Tensor dy, Tensor w, Tensor dx, Operation.Window window) -> {
                double[] from = buffers.get(dy.id());
                double[] weights = buffers.get(w.id());
                double[] to = buffers.get(dx.id());
                convolve(dx, w, dy, window, (i, j, k) -> to[i] += from[k] * weights[j]);
            }
            case Operation.ConvolutionWgrad(Tensor x, Tensor dy, Tensor dw, Operation.Window window) -> {
                double[] from = buffers.get(x.id());
                double[] gradient = buffers.get(dy.id());
                double[] to = buffers.get(dw.id());
                convolve(x, dw, dy, window, (i, j, k) -> to[j] += from[i] * gradient[k]);
            }
            case Operation.Matmul(Tensor a, Tensor b, Tensor c) -> each(c, p -> {
                double sum = 0;
                for (long k = 0; k < a.dims().get(2); k++) {
                    sum += get(a, p[0], p[1], k) * get(b, p[0], k, p[2]);
                }
                set(c, sum, p);
            });
            case Operation.Pointwise p -> each(p.y(), at -> set(p.y(), apply(p.mode(), get(p.x(), at),
                    p.b().map(b -> get(b, at)).orElse(Double.NaN)), at));
            case Operation.PointwiseGrad p -> each(p.dx(), at ->
                    set(p.dx(), get(p.dy(), at) * slope(p.mode(), get(p.x(), at)), at));
            case Operation.Statistics(Tensor x, Tensor sum, Tensor squares) -> each(x, at -> {
                add(sum, get(x, at), at);
                add(squares, get(x, at) * get(x, at), at);
            });
            case Operation.Sum(Tensor x, Tensor y) -> each(x, at -> add(y, get(x, at), at));
        }
    }

    private static double apply(Mode mode, double x, double b) {
        return switch (mode) {
            case ADD -> x + b;
            case SUB -> x - b;
            case MUL -> x * b;
            case IDENTITY -> x;
            case RELU -> Math.max(x, 0);
            case SWISH -> x / (1 + Math.exp(-x));
            case SIGMOID -> 1 / (1 + Math.exp(-x));
        };
    }

    private static double slope(Mode mode, double x) {
        double s = 1 / (1 + Math.exp(-x));
        return switch (mode) {
            case RELU -> x > 0 ? 1 : 0;
            case SWISH -> s + x * s * (1 - s);
            case ADD, SUB, MUL, IDENTITY, SIGMOID -> throw new IllegalArgumentException(mode + " has no gradient");
        };
    }

    @FunctionalInterface
    private interface Term {
        void add(int x, int w, int y);
    }

    /** Visits every product of a cross-correlation, by the places of its three elements. */
    private static void convolve(Tensor x, Tensor w, Tensor y, Operation.Window window, Term term) {
        int perGroup = Math.toIntExact(w.dims().get(1));
        long filters = w.dims().get(0) / (x.dims().get(1) / perGroup);
        int[] xs = ints(x.strides());
        int[] ws = ints(w.strides());
        int[] kernel = ints(w.dims());
        int[] size = ints(x.dims());
        each(y, p -> {
            int group = (int) (p[1] / filters);
            int at = place(y, p);
            for (int r = 0; r < kernel[2]; r++) {
                int h = (int) (p[2] * window.stride() + r - window.padding());
                for (int s = 0; s < kernel[3]; s++) {
                    int v = (int) (p[3] * window.stride() + s - window.padding());
                    if (h < 0 || h >= size[2] || v < 0 || v >= size[3]) {
                        continue;
                    }
                    int xAt = (int) p[0] * xs[0] + group * perGroup * xs[1] + h * xs[2] + v * xs[3];
                    int wAt = (int) p[1] * ws[0] + r * ws[2] + s * ws[3];
                    for (int c = 0; c < perGroup; c++) {
                        term.add(xAt + c * xs[1], wAt + c * ws[1], at);
                    }
                }
            }
        });
    }

    private static int[] ints(List<Long> values) {
        return values.stream().mapToInt(Math::toIntExact).toArray();
    }

    @FunctionalInterface
    private interface Visitor {
        void at(long... position);
    }

    private static void each(Tensor t, Visitor visitor) {
        long[] p = new long[t.dims().size()];
        for (int i = 0; i < elements(t); i++) {
            int rest = i;
            for (int d = p.length - 1; d >= 0; d--) {
                p[d] = rest % t.dims().get(d);
                rest /= t.dims().get(d).intValue();
            }
            visitor.at(p);
        }
    }

    private double get(Tensor t, long... p) {
        return buffers.get(t.id())[place(t, p)];
    }

    private void set(Tensor t, double x, long... p) {
        buffers.get(t.id())[place(t, p)] = x;
    }

    private void add(Tensor t, double x, long... p) {
        buffers.get(t.id())[place(t, p)] += x;
    }

    /** Where an element lies; a dimension of 1 is broadcast. */
    private static int place(Tensor t, long... p) {
        long at = 0;
        for (int d = 0; d < p.length; d++) {
            at += t.dims().get(d) == 1 ? 0 : p[d] * t.strides().get(d);
        }
        return Math.toIntExact(at);
    }

    private static int elements(Tensor t) {
        return Math.toIntExact(t.dims().stream().reduce(1L, Math::multiplyExact));
    }
}
