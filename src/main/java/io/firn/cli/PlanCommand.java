package io.firn.cli;

import io.firn.backend.Backend;
import io.firn.backend.cuda.CheckedPlans;
import io.firn.backend.cuda.CudaTarget;
import io.firn.backend.cuda.PlanningEngines;
import io.firn.backend.cuda.cudnn.Engines;
import io.firn.data.CacheFolder;
import io.firn.backend.Tuned;
import io.firn.error.UserError;
import io.firn.models.NearNames;
import io.firn.plan.FreezeSpec;
import io.firn.plan.PlanReport;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.plan.Ranks;
import io.firn.plan.Target;
import io.firn.train.DeviceMemory;
import io.firn.train.StepRequest;
import java.util.List;
import java.util.Optional;
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
                "", "It takes the options of firn train that decide what a step computes.",
                "", "Examples:", "  firn plan resnet50 --batch 16 --precision bf16 --freeze until:layer4",
                "  firn plan efficientnet_b0 --target h100 --recipe efficientnet",
                "  firn plan resnet50 --target h100 --engines assume --ranks 1000 --batch 256000"})
final class PlanCommand implements Runnable {
    private static final String CPU = "cpu";

    enum Engine { ASK, ASSUME }

    @Parameters(paramLabel = "MODEL", description = "A name of 'firn models'.")
    private String model;

    @Option(names = "--target", paramLabel = "NAME", defaultValue = CPU,
            description = "The device to plan for: cpu (this machine's), or a GPU that need not be here: h100, h200, a100, "
                    + "l4, l40s, rtx4090, or a .json of 'firn info --export-target' (default: ${DEFAULT-VALUE}).")
    private String target;

    @Option(names = "--engines", paramLabel = "ask|assume", defaultValue = "ask",
            description = "For a GPU: ask cuDNN, where it is installed, for an engine for each launch; or assume those that "
                    + "it is known to have (default: ${DEFAULT-VALUE}).")
    private Engine engines;

    @Option(names = "--ranks", paramLabel = "N", defaultValue = "1",
            description = "Ranks that share the batch and exchange gradients (default: ${DEFAULT-VALUE}; without --batch "
                    + "each takes the default number of images).")
    private int ranks;

    @Option(names = "--sync-bn", description = "Batch norms take their statistics over all ranks.")
    private boolean syncBn;

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
        StepRequest request = step.request(model, ranks());
        if (target.equals(CPU)) {
            try (Backend backend = firn.devices().open(target, compute.threads())) {
                Precision precision = compute.precision(backend);
                sayWhatIsFrozenBesides(request);
                Tuned tuned = request.plan(backend, precision, output::say);
                show(request, tuned.program(), request.unfrozen(backend, precision, tuned.table()).map(Tuned::program));
            }
            return;
        }
        Target gpu = CudaTarget.of(target, name -> NearNames.of(name, CudaTarget.names()));
        if (compute.hasThreads()) {
            throw UserError.usage("--threads is the processor's: leave it out with --target %s", target);
        }
        sayWhatIsFrozenBesides(request);
        Precision precision = compute.precision(Precision.BF16);
        Engines answers = engines == Engine.ASK ? PlanningEngines.open(((Target.Device.Gpu) gpu.device()).properties(),
                request.deterministic(), CacheFolder.of("cuda")) : Engines.notChecked("--engines assume");
        CheckedPlans plans = new CheckedPlans(gpu, answers, this::sayWhatIsAsked);
        Program program = plans.plan(request.planned(precision));
        // What fits is searched for by many plans, for each of which cuDNN would take its time.
        CheckedPlans quick = new CheckedPlans(gpu, Engines.notChecked("not asked"), _ -> { });
        DeviceMemory.check(program, request.model().options().batch(), b -> quick.plan(request.withBatch(b).planned(precision)));
        show(request, program, request.unfrozen().map(r -> plans.plan(r.planned(precision))));
    }

    private Ranks ranks() {
        if (ranks < 1) {
            throw UserError.usage("--ranks %d: at least 1 trains", ranks);
        }
        return Ranks.of(ranks, syncBn);
    }

    private void sayWhatIsAsked(int graphs) {
        if (graphs > 0) {
            output.say("cuDNN is asked for engines for %d graphs: minutes at the first time, a second then".formatted(graphs));
        }
    }

    private void show(StepRequest request, Program program, Optional<Program> unfrozen) {
        PlanReport report = PlanReport.of(model, program, request.step(program), unfrozen);
        output.print(report, () -> PlanText.of(report, program.plans().getFirst(), request.freeze()));
    }

    private void sayWhatIsFrozenBesides(StepRequest request) {
        List<String> besides = FreezeSpec.besides(request.model().graph(), request.frozen());
        if (!besides.isEmpty()) {
            output.say("frozen as well, since a batch norm is frozen as a whole: " + String.join(", ", besides));
        }
    }
}
