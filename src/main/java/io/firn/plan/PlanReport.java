package io.firn.plan;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import io.firn.graph.Phase;
import io.firn.graph.State;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * A plan as {@code firn plan --json} and a run's {@code plan.json} show it. FLOPs and bytes are exact, times predicted.
 *
 * @param model               its name
 * @param target              the device planned for
 * @param kernels             where the launches come from: libraries and their versions
 * @param rates               where the target's rates come from, by which times are predicted
 * @param resolution          pixels of the square input's side; 0 for what begins at kept features
 * @param microBatches        of so many images each, whose mean gradient a step takes
 * @param parameters          scalars that could be trained
 * @param trainableParameters scalars that this plan does train
 * @param launches            of a step, in order, those that run for each micro-batch once; what is prepared once is not
 *                            among them
 * @param removed             what freezing took away
 * @param exchanged           between ranks; null for a single one
 */
public record PlanReport(String model, String target, String kernels, String rates, String precision, int batch, int resolution,
                         @JsonProperty("micro_batches") int microBatches, long parameters,
                         @JsonProperty("trainable_parameters") long trainableParameters, Flops flops, PlanMemory memory,
                         @JsonProperty("predicted_ms") double predictedMs, List<Step> launches, Removed removed,
                         @JsonInclude(JsonInclude.Include.NON_NULL) Exchanged exchanged) {

    public PlanReport {
        launches = List.copyOf(launches);
    }

    /** Of one step; input counts as forward, and what follows the gradients as backward. */
    public record Flops(long forward, long backward) {
    }

    /**
     * By how much the plan that trains all parameters is larger.
     *
     * @param bytes       moved in a step
     * @param memory      of both arenas
     * @param predictedMs of a step
     */
    public record Removed(long launches, long flops, long bytes, long memory,
                          @JsonProperty("predicted_ms") double predictedMs) {
    }

    /**
     * One launch.
     *
     * @param times     it runs in a step: more than once for what each micro-batch runs
     * @param computes  each op with the name of the node, such as {@code conv layer1.0.conv1}
     * @param workspace bytes of scratch memory that nothing else uses meanwhile
     * @param live      bytes of the scratch arena that are in use at this launch, its workspace included
     * @param reason    why it computes what it does and no more, where that was a choice; else empty
     */
    public record Step(String name, String op, String phase, int times, int stream, String kernel, List<String> computes,
                       long flops, long bytes, long workspace, @JsonProperty("predicted_ms") double predictedMs, long live,
                       String reason) {
        public Step {
            computes = List.copyOf(computes);
        }

        static Step of(Launch l, int times, long live) {
            return new Step(l.name(), l.op(), l.phase().label(), times, l.stream(), l.kernel().toString(),
                    l.subgraph().nodes().stream().map(n -> n.op().label() + " " + n.name()).toList(), l.flops(),
                    l.bytes(), l.workspace(), l.predictedMs(), live, l.reason());
        }
    }

    /**
     * The report of a program's step.
     *
     * @param model    the model's name
     * @param unfrozen the same program with nothing frozen, to compare with; empty where nothing is frozen
     */
    public static PlanReport of(String model, Program program, WholeStep step, Optional<Program> unfrozen) {
        Plan plan = step.plan();
        long forward = step.times() * plan.launches().stream()
                .filter(l -> l.phase() == Phase.INPUT || l.phase() == Phase.FORWARD).mapToLong(Launch::flops).sum();
        List<State> parameters = program.state().states().values().stream()
                .filter(s -> s.kind() == State.Kind.PARAMETER).toList();
        List<State> trained = parameters.stream().filter(s -> plan.graph().updates().containsKey(s.name())
                || plan.graph().updates().containsKey(State.gradient(s.name()))).toList();
        Removed removed = unfrozen.map(u -> removed(step.in(u), step, u.bytes() - program.bytes()))
                .orElse(new Removed(0, 0, 0, 0, 0));
        return new PlanReport(model, plan.target().name(), plan.catalogue(), plan.target().rates().source(),
                plan.precision().label(), plan.batch(), resolution(plan), step.times(), elements(parameters), elements(trained),
                new Flops(forward, step.flops() - forward), PlanMemory.of(program, plan), step.predictedMs(), steps(step),
                removed, Exchanged.of(step).orElse(null));
    }

    private static Removed removed(WholeStep whole, WholeStep step, long memory) {
        return new Removed(steps(whole).size() - steps(step).size(), whole.flops() - step.flops(),
                whole.bytes() - step.bytes(), memory, whole.predictedMs() - step.predictedMs());
    }

    private static List<Step> steps(WholeStep step) {
        return step.plans().stream().flatMap(p -> {
            List<Long> live = LiveMemory.of(p);
            return IntStream.range(0, live.size()).mapToObj(i -> Step.of(p.launches().get(i), step.times(p), live.get(i)));
        }).toList();
    }

    private static long elements(Collection<State> states) {
        return states.stream().mapToLong(s -> s.value().shape().elements()).sum();
    }

    private static int resolution(Plan plan) {
        // What follows a cut has no pixels.
        return plan.graph().inputs().stream().filter(v -> v.name().equals("pixels")).mapToInt(v -> v.shape().h())
                .findFirst().orElse(0);
    }
}
