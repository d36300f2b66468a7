package io.firn.backend.cuda;

import io.firn.backend.cuda.cudnn.CudnnGraph;
import io.firn.backend.cuda.cudnn.Engines;
import io.firn.plan.PlanRequest;
import io.firn.plan.Planner;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.plan.Subgraph;
import io.firn.plan.Target;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.IntConsumer;
import java.util.stream.Stream;

/**
 * Plans for a GPU, and asks cuDNN for an engine for each of its launches. What is planned goes by the rule of what cuDNN
 * fuses ({@link CudnnPatterns}); a fusion that it has no engine for after all is planned another way, until none is left.
 */
public final class CheckedPlans {
    private final Target target;
    private final Engines engines;
    private final IntConsumer asking;

    /** @param asking is told how many of cuDNN's graphs are to be looked up, each time before it is done */
    public CheckedPlans(Target target, Engines engines, IntConsumer asking) {
        this.target = target;
        this.engines = engines;
        this.asking = asking;
    }

    /** A plan for each request, all over one state; they have one precision. */
    public Program plan(List<PlanRequest> all) {
        PlanRequest[] requests = all.toArray(PlanRequest[]::new);
        boolean tf32 = requests[0].precision() == Precision.TF32;
        Map<CudnnGraph, String> lacking = new HashMap<>();
        while (true) {
            CudaKernels rule = new CudaKernels(Engines.notChecked("to be asked"), tf32, lacking);
            Set<Subgraph> products = new LinkedHashSet<>();
            new Planner(target, rule).plan(requests).plans().stream()
                    .flatMap(p -> Stream.concat(p.prepare().stream(), p.launches().stream()))
                    .filter(l -> l.kernel().library().equals(CudaKernels.CUDNN)).forEach(l -> products.add(l.subgraph()));
            Map<CudnnGraph, String> more = new HashMap<>();
            for (Subgraph s : withoutEngine(products, rule)) {
                if (s.nodes().size() > 1) {
                    CudnnGraph g = rule.ways(s).getFirst();
                    more.put(g, "cuDNN has no engine for it on %s: %s".formatted(target.name(), engines.refusal(g)));
                }
            }
            lacking.putAll(more);
            if (more.isEmpty()) {
                return new Planner(target, new CudaKernels(engines, tf32, lacking)).plan(requests);
            }
        }
    }

    /** Those that cuDNN has no engine for, whichever way it is asked. */
    private List<Subgraph> withoutEngine(Set<Subgraph> products, CudaKernels rule) {
        List<Subgraph> open = products.stream().filter(s -> !rule.ways(s).isEmpty()).toList();
        List<Subgraph> without = new ArrayList<>();
        for (int i = 0; !open.isEmpty(); i++) {
            int way = i;
            Set<CudnnGraph> graphs = new LinkedHashSet<>();
            open.forEach(s -> graphs.add(rule.ways(s).get(way)));
            if (engines.checks()) {
                asking.accept(graphs.size());
            }
            engines.prepare(graphs);
            List<Subgraph> rest = open.stream().filter(s -> engines.engine(rule.ways(s).get(way)).isEmpty()).toList();
            rest.stream().filter(s -> rule.ways(s).size() == way + 1).forEach(without::add);
            open = rest.stream().filter(s -> rule.ways(s).size() > way + 1).toList();
        }
        return without;
    }
}
