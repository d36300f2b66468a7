package io.firn.cli;

import io.firn.backend.Backend;
import io.firn.backend.Collectives;
import io.firn.backend.Peaks;
import io.firn.backend.Session;
import io.firn.backend.Tuned;
import io.firn.error.UserError;
import io.firn.graph.Graph;
import io.firn.graph.Node;
import io.firn.graph.Value;
import io.firn.plan.Candidate;
import io.firn.plan.Kernel;
import io.firn.plan.Kernels;
import io.firn.plan.Layout;
import io.firn.plan.PlanRequest;
import io.firn.plan.Planner;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.plan.Subgraph;
import io.firn.plan.Target;
import io.firn.plan.TuningTable;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;

/** A device for commands that plan: every node is a launch, every operand dense. It runs nothing. */
final class PlainDevice implements Backend {
    /** Bytes that each product works with. */
    static final long WORKSPACE = 1 << 16;

    private final int threads;

    PlainDevice(String device, int threads) {
        this.threads = threads;
    }

    @Override
    public Target target() {
        return Target.cpu(threads, "plain", 1e11, 2e11, 1e10, 1e-6);
    }

    @Override
    public Kernels kernels(TuningTable table) {
        return new Kernels() {
            @Override
            public boolean supports(List<Node> nodes, Set<Value> outputs) {
                return nodes.size() == 1;
            }

            @Override
            public boolean recomputes(Node consumer) {
                return false;
            }

            @Override
            public boolean packsWeights(Node product) {
                return false;
            }

            @Override
            public Layout activationLayout(Graph graph) {
                return Layout.DENSE;
            }

            @Override
            public List<Candidate> candidates(Subgraph s, Layout layout) {
                return List.of(Candidate.of(Kernel.own(s.anchor().op().label()), dense(s.inputs().size()),
                        dense(s.outputs().size()), s.flops() > 0 ? WORKSPACE : 0));
            }

            @Override
            public Candidate conversion(Subgraph cast, List<Layout> from, List<Layout> to) {
                return Candidate.of(Kernel.own("cast"), from, to, 0);
            }

            @Override
            public String versions() {
                return "plain 1";
            }
        };
    }

    private static List<Layout> dense(int count) {
        return Collections.nCopies(count, Layout.DENSE);
    }

    @Override
    public Tuned tune(List<PlanRequest> requests, TuningTable known, Predicate<Program> measure) {
        return new Tuned(new Planner(target(), kernels(known)).plan(requests.toArray(PlanRequest[]::new)), known);
    }

    @Override
    public Precision bestPrecision() {
        return Precision.FP32;
    }

    @Override
    public void check(Precision precision) {
        if (precision == Precision.FP16) {
            throw UserError.usage("--precision fp16: use bf16 or fp32");
        }
    }

    @Override
    public Session load(Program program, Collectives ranks) {
        throw new UnsupportedOperationException();
    }

    @Override
    public Peaks measurePeaks() {
        throw new UnsupportedOperationException();
    }

    @Override
    public void close() {
    }
}
