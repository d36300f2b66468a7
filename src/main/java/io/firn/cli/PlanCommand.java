package io.firn.cli;

import io.firn.Firn;
import io.firn.backend.Backend;
import io.firn.backend.cuda.CheckedPlans;
import io.firn.backend.cuda.CudaTarget;
import io.firn.backend.cuda.PlanningEngines;
import io.firn.backend.cuda.cudnn.Engines;
import io.firn.data.CacheFolder;
import io.firn.error.UserError;
import io.firn.graph.Graph;
import io.firn.graph.Update;
import io.firn.models.Model;
import io.firn.models.NearNames;
import io.firn.plan.FreezeSpec;
import io.firn.plan.Plan;
import io.firn.plan.PlanReport;
import io.firn.plan.PlanRequest;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.plan.Target;
import io.firn.train.DeviceMemory;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** {@code firn plan}. */
@Command(name = "plan", header = "Shows the compiled step: every launch, its FLOPs and bytes, and the memory.",
        footer = {"", "Example: firn plan resnet50 --batch 16 --precision bf16 --freeze until:layer4"})
final class PlanCommand implements Runnable {
    private static final String CPU = "cpu";

    enum Mode { TRAIN, INFER }

    enum Engine { ASK, ASSUME }

    /** Only their slots matter to a plan's launches and memory, not the rates. */
    enum Optimizer {
        SGD(new Update.Sgd(0.9, 1e-4, false, 1)),
        ADAMW(new Update.AdamW(0.9, 0.999, 1e-8, 0.05, 1)),
        RMSPROP(new Update.RmsProp(0.9, 1e-8, false, 0.9, 1e-5, 1));

        private final Update update;

        Optimizer(Update update) {
            this.update = update;
        }
    }

    @Parameters(paramLabel = "MODEL", description = "A name of 'firn models'.")
    private String model;

    @Option(names = "--batch", paramLabel = "N", defaultValue = "32",
            description = "Images in a step (default: ${DEFAULT-VALUE}).")
    private int batch;

    @Option(names = "--mode", paramLabel = "train|infer", defaultValue = "train",
            description = "Train, or compute logits only (default: ${DEFAULT-VALUE}).")
    private Mode mode;

    @Option(names = "--freeze", paramLabel = "SPEC",
            description = "What is not trained: none, head (all but the classifier), until:NAME (all before that module), "
                    + "or modules separated by commas (default: none).")
    private String freeze;

    @Option(names = "--optimizer", paramLabel = "sgd|adamw|rmsprop",
            description = "What turns gradients into steps (default: sgd).")
    private Optimizer optimizer;

    @Option(names = "--target", paramLabel = "NAME", defaultValue = CPU,
            description = "The device to plan for: cpu (this machine's), or a GPU that need not be here: h100, h200, a100, "
                    + "l4, l40s, rtx4090 (default: ${DEFAULT-VALUE}).")
    private String target;

    @Option(names = "--engines", paramLabel = "ask|assume", defaultValue = "ask",
            description = "For a GPU: ask cuDNN, where it is installed, for an engine for each launch; or assume those that "
                    + "it is known to have (default: ${DEFAULT-VALUE}).")
    private Engine engines;

    @Mixin
    private ComputeMixin compute;

    @Mixin
    private NetMixin net;

    @Mixin
    private OutputMixin output;

    @ParentCommand
    private Main firn;

    @Override
    public void run() {
        if (mode == Mode.INFER && (freeze != null || optimizer != null)) {
            throw UserError.usage("--mode infer trains nothing: leave out --freeze and --optimizer");
        }
        if (target.equals(CPU)) {
            try (Backend backend = firn.devices().open(target, compute.threads())) {
                show(r -> Firn.plan(backend, r), r -> Firn.plan(backend, r), compute.precision(backend));
            }
            return;
        }
        Target gpu = CudaTarget.of(target, name -> NearNames.of(name, CudaTarget.names()));
        if (compute.hasThreads()) {
            throw UserError.usage("--threads is the processor's: leave it out with --target %s", target);
        }
        Engines answers = engines == Engine.ASK ? PlanningEngines.open(((Target.Device.Gpu) gpu.device()).properties(), false,
                CacheFolder.of("cuda")) : Engines.notChecked("--engines assume");
        // What fits is searched for by many plans, for each of which cuDNN would take its time.
        show(new CheckedPlans(gpu, answers, this::sayWhatIsAsked)::plan,
                new CheckedPlans(gpu, Engines.notChecked("not asked"), _ -> { })::plan, compute.precision(Precision.BF16));
    }

    private void sayWhatIsAsked(int graphs) {
        if (engines == Engine.ASK && graphs > 0) {
            output.say("cuDNN is asked for engines for %d graphs: minutes at the first time, a second then".formatted(graphs));
        }
    }

    /** @param quick plans as well, but for what engines work with */
    private void show(Function<PlanRequest, Program> planner, Function<PlanRequest, Program> quick, Precision precision) {
        Model built = net.build(model, batch);
        Set<String> frozen = mode == Mode.INFER ? Set.of()
                : FreezeSpec.frozen(freeze == null ? "none" : freeze, built.graph(), NearNames::of);
        Program program = planner.apply(request(built, precision, frozen));
        DeviceMemory.check(program, batch, b -> quick.apply(request(net.build(model, b), precision, frozen)));
        Plan plan = program.plans().getFirst();
        Optional<Plan> unfrozen = frozen.isEmpty() ? Optional.empty()
                : Optional.of(planner.apply(request(built, precision, Set.of())).plans().getFirst());
        sayWhatIsFrozenBesides(built.graph(), frozen);
        PlanReport report = PlanReport.of(model, program, plan, unfrozen);
        output.print(report, () -> PlanText.of(report, plan, Optional.ofNullable(freeze)));
    }

    private PlanRequest request(Model m, Precision precision, Set<String> frozen) {
        Update update = (optimizer == null ? Optimizer.SGD : optimizer).update;
        return new PlanRequest(mode == Mode.TRAIN ? "train" : "evaluate", m.graph(), m.preset().mean(), m.preset().std(),
                precision, mode == Mode.TRAIN ? Optional.of(new PlanRequest.Training(frozen, _ -> update, 0))
                : Optional.empty());
    }

    private void sayWhatIsFrozenBesides(Graph graph, Set<String> frozen) {
        List<String> besides = FreezeSpec.besides(graph, frozen);
        if (!besides.isEmpty()) {
            output.say("frozen as well, since a batch norm is frozen as a whole: " + String.join(", ", besides));
        }
    }
}
