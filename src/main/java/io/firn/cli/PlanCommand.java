package io.firn.cli;

import io.firn.backend.Backend;
import io.firn.backend.Tuned;
import io.firn.error.UserError;
import io.firn.graph.Graph;
import io.firn.plan.FreezeSpec;
import io.firn.plan.Plan;
import io.firn.plan.PlanReport;
import io.firn.plan.Precision;
import io.firn.train.StepRequest;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** {@code firn plan}. */
@Command(name = "plan", header = "Shows the compiled step: every launch, its FLOPs and bytes, and the memory.",
        footer = {"", "The kernels are those that firn train and firn bench use here: measured once on a machine, so",
                "that the first plan of new shapes takes seconds; with --deterministic, and where the memory",
                "does not suffice, by estimate.",
                "", "Example: firn plan resnet50 --batch 16 --precision bf16 --freeze until:layer4"})
final class PlanCommand implements Runnable {
    private static final String CPU = "cpu";

    @Parameters(paramLabel = "MODEL", description = "A name of 'firn models'.")
    private String model;

    @Option(names = "--target", paramLabel = "NAME", defaultValue = CPU,
            description = "The device to plan for: cpu (this machine's).")
    private String target;

    @Mixin
    private ComputeMixin compute;

    @Mixin
    private StepMixin step;

    @Mixin
    private OutputMixin output;

    @ParentCommand
    private Main firn;

    @Override
    public void run() {
        if (!target.equals(CPU)) {
            throw UserError.usage("--target %s: plans are made for cpu only so far", target);
        }
        StepRequest request = step.request(model);
        try (Backend backend = firn.devices().open(target, compute.threads())) {
            Precision precision = compute.precision(backend);
            sayWhatIsFrozenBesides(request.model().graph(), request.frozen());
            Tuned tuned = request.plan(backend, precision, output::say);
            Plan plan = tuned.program().plans().getFirst();
            Optional<Plan> unfrozen = request.unfrozen(backend, precision, tuned.table())
                    .map(t -> t.program().plans().getFirst());
            PlanReport report = PlanReport.of(model, tuned.program(), plan, unfrozen);
            output.print(report, () -> PlanText.of(report, plan, request.freeze()));
        }
    }

    private void sayWhatIsFrozenBesides(Graph graph, Set<String> frozen) {
        List<String> besides = FreezeSpec.besides(graph, frozen);
        if (!besides.isEmpty()) {
            output.say("frozen as well, since a batch norm is frozen as a whole: " + String.join(", ", besides));
        }
    }
}
