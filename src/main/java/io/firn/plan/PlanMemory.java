package io.firn.plan;

import io.firn.graph.Phase;
import io.firn.graph.State;
import io.firn.graph.Value;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/**
 * The bytes of a program's two arenas, each counted once, by what lies there. In the scratch arena values take turns: a
 * byte counts for the first kind in the order of weights, gradients, activations and workspace that ever lies there.
 *
 * @param weights     parameters, statistics, the padding between states, and copies of weights that are prepared once
 * @param gradients   what the optimizer reads, and sums over micro-batches
 * @param optimizer   slots such as momentum, and moving averages
 * @param activations all else of the scratch arena
 * @param workspace   what only kernels' own scratch memory needs
 * @param total       the sum: both arenas
 */
public record PlanMemory(long weights, long gradients, long optimizer, long activations, long workspace, long total) {

    static PlanMemory of(Program program, Plan plan) {
        Set<Value> prepared = new HashSet<>();
        plan.prepare().forEach(l -> prepared.addAll(l.subgraph().outputs()));
        // What only other preparations read, such as a scale that was folded into weights, leaves its place to others.
        Set<Value> read = new HashSet<>();
        plan.launches().forEach(l -> read.addAll(l.subgraph().inputs()));
        prepared.retainAll(read);
        Set<Value> gradients = new LinkedHashSet<>();
        plan.launches().stream().filter(l -> l.phase() == Phase.OPTIMIZER)
                .forEach(l -> gradients.addAll(l.subgraph().inputs()));
        plan.graph().inputs().forEach(gradients::remove);
        gradients.removeAll(prepared);

        List<Range> forWeights = scratch(plan, prepared);
        List<Range> forGradients = scratch(plan, gradients);
        List<Range> forValues = scratch(plan, plan.buffers().keySet());
        List<Range> forWorkspace = Stream.concat(plan.prepare().stream(), plan.launches().stream())
                .map(l -> new Range(l.workspaceOffset(), l.workspaceOffset() + l.workspace())).toList();
        long copies = covered(forWeights);
        long gradientBytes = covered(concat(forGradients, forWeights)) - copies;
        long workspace = covered(concat(forWorkspace, forValues)) - covered(forValues);
        long optimizer = program.state().bytes(State.Kind.OPTIMIZER) + program.state().bytes(State.Kind.AVERAGE);
        long sums = program.state().bytes(State.Kind.GRADIENT);
        return new PlanMemory(program.state().bytes() - optimizer - sums + copies, gradientBytes + sums, optimizer,
                program.scratchBytes() - copies - gradientBytes - workspace, workspace, program.bytes());
    }

    private record Range(long start, long end) {
    }

    private static List<Range> scratch(Plan plan, Collection<Value> values) {
        return values.stream().map(plan.buffers()::get).filter(b -> b.arena() == Buffer.Arena.SCRATCH)
                .map(b -> new Range(b.offset(), b.end())).toList();
    }

    private static List<Range> concat(List<Range> a, List<Range> b) {
        return Stream.concat(a.stream(), b.stream()).toList();
    }

    /** Bytes in at least one of the ranges. */
    private static long covered(List<Range> ranges) {
        long sum = 0;
        long end = 0;
        for (Range r : ranges.stream().sorted(Comparator.comparingLong(Range::start)).toList()) {
            sum += Math.max(0, r.end - Math.max(end, r.start));
            end = Math.max(end, r.end);
        }
        return sum;
    }
}
