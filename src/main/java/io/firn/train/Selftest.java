package io.firn.train;

import io.firn.backend.Backend;
import io.firn.backend.Session;
import io.firn.graph.State;
import io.firn.graph.Update;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.plan.Layout;
import io.firn.plan.Plan;
import io.firn.plan.PlanRequest;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.plan.Target;
import io.firn.plan.TuningTable;
import io.firn.weights.Initializer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.Consumer;

/**
 * Holds a device to the oracle: every launch of the plans of some nets from the device's own inputs, whole first steps,
 * a short training, and memory.
 */
public final class Selftest {
    /** The loss must fall to this share. */
    private static final double LEARNT = 0.5;
    private static final int TRAINING_STEPS = 50;
    private static final String MEMORY_MODEL = "resnet18";
    private static final double MEMORY_SHARE = 1.05;
    private static final long MEMORY_REST = 100_000_000;
    /** A GPU's memory is handed out in pieces, and a recording and kernels' code have some too. */
    private static final double DEVICE_SHARE = 1.02;
    private static final long DEVICE_REST = 64_000_000;

    private final Backend backend;
    private final int threads;
    private final List<SelftestReport.Checked> checked = new ArrayList<>();
    private final List<SelftestReport.Net> nets = new ArrayList<>();
    private final List<SelftestReport.StepCheck> steps = new ArrayList<>();
    private final List<String> failures = new ArrayList<>();

    /**
     * A net and its shapes.
     *
     * @param table choices that its plans take, such as another layout than the device's usual one
     */
    public record Net(String model, ModelOptions options, TuningTable table) {
        private static final TuningTable NHWC = TuningTable.EMPTY.with(Map.of(TuningTable.LAYOUT, Layout.NHWC.label()));

        public Net(String model, ModelOptions options) {
            this(model, options, TuningTable.EMPTY);
        }

        /** The models' own shapes, small: a part of the depth holds every shape that the whole has. */
        public static List<Net> defaults() {
            ModelOptions o = ModelOptions.defaults();
            return List.of(new Net("resnet20", o.withBatch(4)),
                    new Net("plain20", o.withBatch(3).withChannels(1).withResolution(28).withClasses(7)),
                    new Net("resnet18", o.withBatch(2).withResolution(64).withDepth(0.5)),
                    new Net("resnext50_32x4d", o.withBatch(2).withResolution(33).withDepth(0.3)),
                    new Net("efficientnet_b0", o.withBatch(3).withResolution(48)),
                    new Net("efficientnet_v2_s", o.withBatch(2).withResolution(48).withDepth(0.25)),
                    new Net("resnet20", o.withBatch(2).withResolution(17), NHWC),
                    new Net("efficientnet_b0", o.withBatch(2).withResolution(33).withDepth(0.5).withClasses(10), NHWC));
        }

        /** That model's: as above, or else whole, two images of at most 64 pixels. */
        public static Net of(String model) {
            int own = Models.build(model, ModelOptions.defaults()).options().resolution();
            return defaults().stream().filter(n -> n.model.equals(model)).findFirst().orElseGet(() ->
                    new Net(model, ModelOptions.defaults().withBatch(2).withResolution(Math.min(own, 64))));
        }

        /** Each family's usual optimizer, and RMSprop for the plain nets, so that all are checked. */
        Update optimizer() {
            return model.startsWith("efficientnet") ? new Update.AdamW(0.9, 0.999, 1e-8, 0.05, 1)
                    : model.startsWith("resnext") ? new Update.Lars(0.9, 1e-3, 1e-8, 1e-4, 1)
                    : model.startsWith("plain") ? new Update.RmsProp(0.9, 1e-8, false, 0.9, 1e-5, 1)
                    : new Update.Sgd(0.9, 1e-4, false, 1);
        }
    }

    /** What steps have beyond the plain one: all of it with the CIFAR nets, of which the plain ones take two batches. */
    private static PlanRequest.Extras extras(Net net) {
        return switch (net.model) {
            case "resnet20" -> new PlanRequest.Extras(true, 0.99, 1, 1, PlanRequest.Part.WHOLE);
            case "plain20" -> new PlanRequest.Extras(true, 0.99, 1, 2, PlanRequest.Part.ACCUMULATE);
            default -> PlanRequest.Extras.NONE;
        };
    }

    private Selftest(Backend backend, int threads) {
        this.backend = backend;
        this.threads = threads;
    }

    /**
     * Runs it all.
     *
     * @param threads that compute, on the device and for the oracle
     * @param say     takes a line about what happens
     */
    public static SelftestReport run(Backend backend, List<Net> nets, List<Precision> precisions, int threads,
                                     Consumer<String> say) {
        long start = System.nanoTime();
        var test = new Selftest(backend, threads);
        SelftestReport.MemoryCheck memory = test.memory(precisions.getLast());
        List<SelftestReport.Training> trainings = new ArrayList<>();
        boolean cpu = backend.target().device() instanceof Target.Device.Cpu;
        for (Precision p : precisions) {
            // Layouts are a choice on the CPU alone.
            for (Net n : nets.stream().filter(n -> cpu || n.table.choices().isEmpty()).toList()) {
                say.accept("selftest: %s in %s".formatted(n.model, p.label()));
                test.guarded(n.model + " " + p.label(), () -> test.check(n, p));
            }
            say.accept("selftest: a short training in " + p.label());
            test.guarded("training " + p.label(), () -> trainings.add(test.train(p)));
        }
        List<SelftestReport.Checked> failed = test.checked.stream().filter(c -> !c.passes()).toList();
        failed.forEach(c -> test.failures.add(c.toString()));
        return new SelftestReport(test.failures.isEmpty(), backend.target().name(),
                backend.kernels(TuningTable.EMPTY).versions(), precisions.stream().map(Precision::label).toList(),
                test.checked.size(), test.nets, SelftestReport.byKernel(test.checked), test.steps, trainings, memory,
                failed, test.failures, (System.nanoTime() - start) / 1e9);
    }

    /** What fails of one net's launches and first steps: nothing else is tested. */
    static List<String> failures(Backend backend, Net net, Precision precision, int threads) {
        var test = new Selftest(backend, threads);
        test.check(net, precision);
        test.checked.stream().filter(c -> !c.passes()).forEach(c -> test.failures.add(c.toString()));
        return test.failures;
    }

    /** What throws has failed, and the rest goes on. */
    private void guarded(String what, Runnable test) {
        try {
            test.run();
        } catch (RuntimeException e) {
            failures.add(what + ": " + e);
        }
    }

    private void check(Net net, Precision precision) {
        long start = System.nanoTime();
        Model m = Models.build(net.model, net.options);
        Update update = net.optimizer();
        var training = new PlanRequest.Training(Set.of(), _ -> update, 0.1, extras(net));
        List<PlanRequest> requests = new ArrayList<>(List.of(request(m, precision, Plans.TRAIN, Optional.of(training)),
                request(m, precision, Plans.EVALUATE, Optional.empty())));
        if (training.extras().part() == PlanRequest.Part.ACCUMULATE) {
            requests.add(request(m, precision, Plans.APPLY, Optional.of(new PlanRequest.Training(Set.of(), _ -> update, 0.1,
                    training.extras().withPart(PlanRequest.Part.APPLY)))));
        }
        Program program = backend.plan(net.table, requests);
        int before = checked.size();
        try (Session session = backend.load(program)) {
            Map<String, float[]> states = states(program, m);
            for (Plan plan : program.plans().reversed()) {
                if (plan.name().equals(Plans.APPLY)) {
                    // It has no images, and its launches are all that there is to see.
                    continue;
                }
                fill(session, states, plan);
                steps.addAll(FirstStep.check(session, plan, m.name(), failures::add));
            }
            for (Plan plan : program.plans()) {
                fill(session, states, plan);
                checked.addAll(new LaunchCheck(session, plan, m.name(), threads).run(threads));
            }
        }
        ModelOptions o = m.options();
        nets.add(new SelftestReport.Net(m.name(), precision.label(), o.batch(), o.channels(), o.resolution(), o.classes(),
                update.label(), checked.size() - before, (System.nanoTime() - start) / 1e9));
    }

    private static PlanRequest request(Model m, Precision p, String name, Optional<PlanRequest.Training> training) {
        return new PlanRequest(name, m.graph(), m.preset().mean(), m.preset().std(), p, training);
    }

    /** States as in the middle of a training: no vectors of zeros and ones, nor zero moments, that would hide an error. */
    private static Map<String, float[]> states(Program program, Model m) {
        var random = new SplittableRandom(1);
        Map<String, float[]> states = new HashMap<>(Initializer.initialize(m.graph(), 1, m.initialization()::sampler));
        for (State s : program.state().states().values()) {
            float[] data = states.computeIfAbsent(s.name(), _ -> new float[Math.toIntExact(s.value().shape().elements())]);
            // Positive, as squares and variances must be.
            float size = s.kind() != State.Kind.PARAMETER && s.kind() != State.Kind.STATISTIC ? 1e-3f : s.value().shape().rank() == 1 ? 0.02f : 0;
            for (int i = 0; i < data.length; i++) {
                data[i] = data[i] * (1 + 0.1f * random.nextFloat()) + size * random.nextFloat();
            }
        }
        return states;
    }

    private static void fill(Session session, Map<String, float[]> states, Plan plan) {
        states.forEach(session::writeState);
        FixedInputs.fill(session, plan, 0.02, new SplittableRandom(2));
    }

    private SelftestReport.Training train(Precision p) {
        SelftestReport.Training t = ShortTraining.run(backend, p, TRAINING_STEPS);
        if (!(t.lastLoss() <= LEARNT * t.firstLoss())) {
            failures.add(String.format(Locale.ROOT, "training %s %s: the loss went from %.3f to %.3f in %d steps, not to half",
                    t.model(), t.precision(), t.firstLoss(), t.lastLoss(), t.steps()));
        }
        if (!t.repeats()) {
            failures.add("training %s %s: a second one from the same start had other losses".formatted(t.model(),
                    t.precision()));
        }
        return t;
    }

    /** First of all: later the process has freed memory to take before it grows. */
    private SelftestReport.MemoryCheck memory(Precision p) {
        ModelOptions o = ModelOptions.defaults().withBatch(8).withResolution(160);
        Net net = new Net(MEMORY_MODEL, o);
        Model m = Models.build(net.model, net.options);
        Program program = backend.plan(TuningTable.EMPTY, List.of(request(m, p, Plans.TRAIN,
                Optional.of(new PlanRequest.Training(Set.of(), _ -> net.optimizer(), 0)))));
        boolean own = backend.freeMemory().isPresent();
        if (own) {
            // What the libraries load at first use is no part of the plan.
            backend.load(program).close();
        }
        long planned = backend.memory(program);
        long most = own ? (long) (DEVICE_SHARE * planned) + DEVICE_REST : (long) (MEMORY_SHARE * planned) + MEMORY_REST;
        MemoryUse use = MemoryUse.of(backend, ResidentMemory.now());
        try (Session session = backend.load(program)) {
            // Weights stay zero: in Java's memory they would count.
            FixedInputs.fill(session, program.plans().getFirst(), 0.02, new SplittableRandom(1));
            session.step(program.plans().getFirst());
            long grown = use.growth();
            if (grown > most) {
                failures.add("memory: %s took %,d bytes, planned were %,d".formatted(m.name(), grown, planned));
            }
            return new SelftestReport.MemoryCheck(m.name(), planned, grown, most);
        }
    }
}
