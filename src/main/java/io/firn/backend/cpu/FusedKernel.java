package io.firn.backend.cpu;

import io.firn.graph.Activation;
import io.firn.graph.Counter;
import io.firn.graph.DType;
import io.firn.graph.Drop;
import io.firn.graph.Elementwise;
import io.firn.graph.Gate;
import io.firn.graph.Masks;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Pooling;
import io.firn.graph.Type;
import io.firn.graph.Value;
import io.firn.plan.Layout;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * One launch that computes a subgraph of batch-norm, activation, gating, dropping and adding ops (forward or backward,
 * in any combination) in as few passes over the activations as its sums allow. Activations have one shape [N,C,H,W]
 * and one layout, NHWC or blocked by 16, and are f32 or bf16; vectors [C] and matrices [N,C] are dense f32.
 *
 * <p>Where there are channel groups enough for all threads, a task takes one through all passes, so that the second
 * pass finds in the cache what the first has read; else tasks are also ranges of samples, with a barrier after each
 * pass. The results depend on the number of threads, but not on which thread does what.
 */
final class FusedKernel implements Runnable {
    private final FusedProgram program;
    private final List<FusedProgram.Pass> passes;
    private final Workers workers;
    private final StripRunner runner;
    private final int channels;
    private final int ranges;
    private final int groups;
    private final boolean chained;
    private final float[][] survival;
    /* One object each for the life of the kernel, so that a run allocates nothing. */
    private final Workers.Task chain = this::runChain;
    private final Workers.Task range = this::runRange;
    private int pass;

    private FusedKernel(FusedProgram program, Workers workers) {
        this.program = program;
        this.workers = workers;
        passes = program.passes();
        channels = program.channels();
        Type x = program.activation();
        int samples = x == null ? 1 : x.shape().n();
        survival = new float[program.drops().size()][samples];
        int width = x == null ? channels : program.blocked() ? 16 : StripRunner.WIDE;
        groups = Math.ceilDiv(channels, width);
        boolean several = passes.stream().filter(p -> !p.steps().isEmpty()).count() > 1;
        chained = groups >= 2 * workers.threads() || !several && groups == 1 && workers.threads() == 1;
        int strips = x == null ? 1 : samples * StripRunner.strips(program);
        ranges = chained ? 1 : Math.clamp(Math.ceilDiv(4L * workers.threads(), groups), 1, strips);
        program.reductions().forEach(r -> r.allocate(ranges));
        runner = new StripRunner(program, workers, survival, ranges, width);
    }

    /**
     * Prepares a launch.
     *
     * @param nodes   in an order that respects their dependencies; {@link #supports} must hold
     * @param bind    where the values from outside and the outputs lie; an output may lie exactly on an input
     * @param outputs values to be stored; what else the nodes compute is not
     * @throws IllegalArgumentException where tensors overlap in a way that no order of passes can serve
     */
    static FusedKernel compile(List<Node> nodes, Function<Value, Tensor> bind, Set<Value> outputs, Workers workers) {
        if (!supports(nodes)) {
            throw new IllegalArgumentException("cannot be fused: " + nodes);
        }
        return new FusedKernel(new FusedProgram(List.copyOf(nodes), bind, Set.copyOf(outputs)), workers);
    }

    /** Whether the nodes' ops and types are among those that one launch can compute. */
    static boolean supports(List<Node> nodes) {
        Set<Object> shapes = new HashSet<>();
        for (Node n : nodes) {
            for (Value v : (Iterable<Value>) Stream.concat(n.inputs().stream(), n.outputs().stream())::iterator) {
                boolean activation = v.shape().rank() == 4;
                if (activation) {
                    shapes.add(v.shape());
                }
                if (v.type().equals(Counter.TYPE) ? !(n.op() instanceof Drop)
                        : v.dtype() != DType.F32 && !(activation && v.dtype() == DType.BF16)) {
                    return false;
                }
            }
            boolean known = switch (n.op()) {
                case Normalization.BatchNorm b -> false;
                case Normalization.FoldWeight f -> false;
                case Normalization o -> true;
                case Activation a -> n.output().shape().rank() == 4;
                case Elementwise e -> n.output().shape().rank() == 4;
                case Gate g -> true;
                case Pooling.GlobalAverage g -> true;
                case Pooling.GlobalAverageGrad g -> true;
                case Drop.DropPath d -> n.output().shape().rank() == 4;
                default -> false;
            };
            if (!known) {
                return false;
            }
        }
        return !nodes.isEmpty() && shapes.size() <= 1;
    }

    /** How many times activations are gone over. */
    int passCount() {
        return (int) passes.stream().filter(p -> !p.steps().isEmpty()).count();
    }

    @Override
    public void run() {
        drawDrops();
        if (chained) {
            workers.run(groups, chain);
            return;
        }
        for (pass = 0; pass < passes.size(); pass++) {
            FusedProgram.Pass p = passes.get(pass);
            stages(p, 0, channels);
            if (!p.steps().isEmpty()) {
                workers.run(groups * ranges, range);
                finish(p, 0, channels);
            }
        }
    }

    private void runChain(int group, int thread) {
        int from = runner.firstChannel(group);
        int to = Math.min(channels, runner.firstChannel(group + 1));
        for (int i = 0; i < passes.size(); i++) {
            FusedProgram.Pass p = passes.get(i);
            stages(p, from, to);
            if (!p.steps().isEmpty()) {
                runner.run(i, group, 0, thread);
                finish(p, from, to);
            }
        }
    }

    private void runRange(int task, int thread) {
        runner.run(pass, task / ranges, task % ranges, thread);
    }

    private static void stages(FusedProgram.Pass p, int from, int to) {
        for (int i = 0; i < p.before().size(); i++) {
            p.before().get(i).run(from, to);
        }
    }

    private void finish(FusedProgram.Pass p, int from, int to) {
        for (int i = 0; i < p.reductions().size(); i++) {
            Reduction r = program.reductions().get(p.reductions().get(i));
            if (!r.perSample) {
                r.finish(ranges, from, to);
            }
        }
    }

    /** Decides once a run which samples each drop-path keeps. */
    private void drawDrops() {
        for (int d = 0; d < survival.length; d++) {
            Node n = program.drops().get(d);
            Drop.DropPath op = (Drop.DropPath) n.op();
            long counter = program.tensor(n.input(1)).address();
            for (int i = 0; i < survival[d].length; i++) {
                boolean keeps = Masks.keeps(Native.getInt(counter + 4 * Counter.SEED_LOW),
                        Native.getInt(counter + 4 * Counter.SEED_HIGH), Native.getInt(counter + 4 * Counter.STEP),
                        Native.getInt(counter + 4 * Counter.MICRO_STEP), op.id(),
                        (long) Native.getInt(counter + 4 * Counter.FIRST_SAMPLE) + i, op.p());
                survival[d][i] = keeps ? (float) (1 / (1 - op.p())) : 0;
            }
        }
    }
}
