package io.firn.train;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.firn.backend.Session;
import io.firn.backend.Tuned;
import io.firn.error.UserError;
import io.firn.files.AtomicFile;
import io.firn.graph.State;
import io.firn.plan.FreezeSpec;
import io.firn.plan.PlanReport;
import io.firn.plan.Program;
import io.firn.plan.TuningTable;
import io.firn.plan.WholeStep;
import io.firn.report.Report;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * One training from request to summary: everything that can be refused is checked before the run's folder is touched,
 * then {@link Trainer} trains.
 */
public final class Run {
    private final TrainRequest request;
    private final Team team;

    private Run(TrainRequest request, Team team) {
        this.request = request;
        this.team = team;
    }

    /**
     * Trains.
     *
     * @throws UserError for options, data and weights that make no sense; (memory) where it does not fit; (diverged);
     *                   (stopped) where a signal ended it
     */
    public static RunSummary train(TrainRequest request) {
        return train(request, Team.ALONE);
    }

    /**
     * Trains as one of several ranks, of which all call this. Rank 0 reads and writes the run's folder, and its options
     * hold for all.
     *
     * @throws UserError as above, and on every rank where any of them ends before its time
     */
    public static RunSummary train(TrainRequest request, Team team) {
        Run run = new Run(request, team);
        return run.orLeave(() -> {
            if (!team.leads()) {
                return run.follow();
            }
            Path root = request.folder();
            return request.resume() && Files.exists(root.resolve("config.toml")) ? run.resume(root) : run.begin(root);
        });
    }

    /** Tells the other ranks why this one ends, as soon as it does. */
    private <T> T orLeave(Supplier<T> work) {
        try {
            return work.get();
        } catch (UserError e) {
            team.leave(e.kind(), e.getMessage());
            throw e;
        } catch (RuntimeException | Error e) {
            team.leave(UserError.Kind.OTHER, "internal error: " + e);
            throw e;
        }
    }

    /** What a rank does that is not the first: it steps as rank 0 says, and writes nothing. */
    private RunSummary follow() {
        Start start = Start.read(team.share(new byte[0]));
        Setup s = Setup.of(start.options(request.asked()), request.devices(), team.rank(), _ -> { });
        try (var backend = s.backend()) {
            Program program = Plans.program(s, start.table());
            start.check(s, program);
            Plans.checkMemory(s, program);
            RunSummary summary = step(s, new Tuned(program, start.table()), null, session -> { }, start.position(),
                    Integer.MAX_VALUE).summary();
            // A process that ends before its fellows may be taken for a failed one by whoever has started them.
            team.share(new byte[0]);
            return summary;
        }
    }

    /**
     * Looks for a learning rate; no run is made, and nothing but two files about it is written.
     *
     * @throws UserError as {@link #train}
     */
    public static FoundRate findRate(TrainRequest request) {
        Run run = new Run(request, Team.ALONE);
        Setup s = Setup.of(request.asked(), request.devices(), run::say);
        try (var backend = s.backend()) {
            // Weights that do not fit are told before kernels are measured.
            InitialStates init = InitialStates.of(s, run::say);
            Tuned tuned = run.plan(s, Optional.empty());
            Path folder = request.output().orElseGet(() -> request.folder("-lr"));
            try (Session session = backend.load(tuned.program())) {
                init.write(session);
                FoundRate found = RateFinder.find(s, session, s.options().recipe().optimizer().largestRate(), run::say);
                Files.createDirectories(folder);
                return RateFinder.write(found, folder, s.options().net().model());
            } catch (IOException e) {
                throw AtomicFolder.cannotWrite(folder, e);
            }
        }
    }

    private RunSummary begin(Path root) {
        Setup s = Setup.of(request.asked(), request.devices(), 0, this::say);
        try (var backend = s.backend()) {
            checkPhases(s);
            // Weights that do not fit are told before kernels are measured.
            InitialStates init = InitialStates.of(s, this::say);
            Tuned tuned = plan(s.during(s.phase(0)), Optional.empty());
            try (RunFolder folder = RunFolder.open(root, request.resume())) {
                return train(s, tuned, folder, init::write, Position.START);
            }
        }
    }

    private RunSummary resume(Path root) {
        try (RunFolder folder = RunFolder.open(root, true)) {
            Checkpoint c = Checkpoint.read(folder.checkpoint());
            Config before = c == null ? TrainOptions.read(folder.config()) : Checkpoint.config(folder.checkpoint());
            Setup s = Setup.of(TrainOptions.resumed(before, request.asked()), request.devices(), 0, this::say);
            try (var backend = s.backend()) {
                if (c == null) {
                    InitialStates init = InitialStates.of(s, this::say);
                    return train(s, plan(s.during(s.phase(0)), Optional.empty()), folder, init::write, Position.START);
                }
                c.checkData(s);
                say("going on at step %d".formatted(c.position().step()));
                Setup now = s.during(s.phase(c.position().epoch()));
                return train(s, plan(now, Optional.of(new TuningTable(c.tuning()))), folder,
                        session -> Checkpoint.restore(folder.checkpoint(), session), c.position());
            }
        }
    }

    /** @param given the choices of an earlier process; empty measures */
    private Tuned plan(Setup s, Optional<TuningTable> given) {
        FrozenPrefix.note(s, Plans.frozen(s)).ifPresent(this::say);
        Plans.checkBatchNorms(s);
        List<String> besides = FreezeSpec.besides(s.model(1).graph(), Plans.frozen(s));
        if (!besides.isEmpty()) {
            say("frozen as well, since a batch norm is frozen as a whole: " + String.join(", ", besides));
        }
        if (given.isEmpty()) {
            return Plans.tuned(s);
        }
        Program program = Plans.program(s, given.get());
        Plans.checkMemory(s, program);
        return new Tuned(program, given.get());
    }

    /** Fills a session's states. */
    private interface Filling {
        void into(Session session);
    }

    private static void checkPhases(Setup s) {
        List<TransferOptions.Phase> phases = s.phases();
        for (int i = 1; i < phases.size(); i++) {
            Setup phase = s.during(phases.get(i));
            TransferOptions.checkShrinks(phases.get(i), Plans.frozen(s.during(phases.get(i - 1))), Plans.frozen(phase));
            // What does not fit is told before the first step, not in the middle of the run.
            Plans.checkMemory(phase, Plans.program(phase, TuningTable.EMPTY));
        }
    }

    /**
     * Trains phase by phase: each has a plan and memory of its own, and goes on with the states of the one before, the
     * optimizer's of what stays trained included.
     */
    private RunSummary train(Setup s, Tuned first, RunFolder folder, Filling beginning, Position start) {
        if (s.validation().isEmpty()) {
            say("no validation set: --val PATH or --val-split F would tell how good the network is");
        }
        s.options().config().write(folder.config());
        Environment.here(s, request.command(), start.step()).append(folder.environment());
        team.share(Start.of(s, first.program(), first.table(), start).write());
        request.view().ifPresent(v -> v.show(folder.root()));
        Tuned tuned = first;
        Filling filling = beginning;
        Position at = start;
        while (true) {
            TransferOptions.Phase phase = s.phase(at.epoch());
            int end = s.phases().stream().mapToInt(TransferOptions.Phase::from).filter(f -> f > phase.from()).findFirst()
                    .orElse(Integer.MAX_VALUE);
            writePlan(s.during(phase), tuned, folder.plan());
            Ended ended = step(s.during(phase), tuned, folder, filling, at, end);
            if (ended.done) {
                writeReport(folder);
                team.share(new byte[0]);
                return ended.summary;
            }
            at = ended.at;
            TransferOptions.Phase next = s.phase(at.epoch());
            say("from epoch %d on: --freeze %s".formatted(at.epoch(), next.freeze()));
            tuned = plan(s.during(next), Optional.empty());
            // What only now begins to be trained gets fresh slots of the optimizer.
            filling = session -> session.program().state().states().forEach((name, state) -> session.writeState(name,
                    ended.states.containsKey(name) ? ended.states.get(name) : fresh(state)));
        }
    }

    /**
     * How a phase ended.
     *
     * @param states for the next phase; empty where the run is done
     */
    private record Ended(RunSummary summary, boolean done, Position at, Map<String, float[]> states) {
    }

    /**
     * One phase.
     *
     * @param folder null on all ranks but the first
     * @param end    the epoch before which it ends
     */
    private Ended step(Setup s, Tuned tuned, RunFolder folder, Filling filling, Position at, int end) {
        try (Signals signals = request.signals() ? Signals.install() : Signals.none();
             Session session = s.backend().load(tuned.program(), team.collectives())) {
            return orLeave(() -> {
                filling.into(session);
                share(session);
                Optional<FreezeAudit> audit = !team.leads() ? Optional.empty() : FreezeAudit.begin(folder.freeze(),
                        at.step() > 0, s.options().net().freeze(), FreezeAudit.frozenStates(s.model(1).graph(),
                        Plans.frozen(s)), FreezeAudit.States.of(session));
                try (Features features = team.leads()
                        ? Features.of(s, session, folder.root(), at, signals, this::say).orElse(null) : null;
                     Trainer trainer = new Trainer(s, team, folder, session, tuned.table(), signals, at, audit,
                        Optional.ofNullable(features), end, request.log())) {
                    RunSummary summary = trainer.train();
                    if (features != null) {
                        features.discard();
                    }
                    return new Ended(summary, trainer.isDone(), trainer.position(),
                            trainer.isDone() ? Map.of() : states(session));
                }
            });
        }
    }

    private static float[] fresh(State state) {
        float[] data = new float[Math.toIntExact(state.value().shape().elements())];
        Arrays.fill(data, (float) state.initial());
        return data;
    }

    private static Map<String, float[]> states(Session session) {
        Map<String, float[]> states = new HashMap<>();
        session.program().state().states().forEach((name, state) -> {
            float[] values = new float[Math.toIntExact(state.value().shape().elements())];
            session.readState(name, values);
            states.put(name, values);
        });
        return states;
    }

    /** All ranks begin with rank 0's states. */
    private void share(Session session) {
        if (team.ranks() == 1) {
            return;
        }
        for (State state : session.program().state().states().values()) {
            float[] data = new float[Math.toIntExact(state.value().shape().elements())];
            session.readState(state.name(), data);
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment copy = arena.allocate(4L * data.length, 64);
                MemorySegment.copy(data, 0, copy, ValueLayout.JAVA_FLOAT, 0, data.length);
                team.collectives().broadcast(List.of(copy)).run();
                MemorySegment.copy(copy, ValueLayout.JAVA_FLOAT, 0, data, 0, data.length);
            }
            session.writeState(state.name(), data);
        }
    }

    /** The run is done by now: whatever fails here is told, and costs nothing else. */
    private void writeReport(RunFolder folder) {
        try {
            AtomicFile.write(folder.report(), Report.of(List.of(folder.root())).html().getBytes(StandardCharsets.UTF_8));
        } catch (RuntimeException | OutOfMemoryError | LinkageError e) {
            say("report.html was not written: %s; try again with: firn report %s".formatted(e.getMessage(), folder.root()));
        }
    }

    /** The plan that runs, with what it was made from. */
    private static void writePlan(Setup s, Tuned tuned, Path file) {
        WholeStep step = Plans.step(s, tuned.program());
        TuningTable table = tuned.table();
        Optional<Program> unfrozen = Plans.frozen(s).isEmpty() ? Optional.empty() : Optional.of(Plans.unfrozen(s, table));
        var json = JsonMapper.builder().build();
        ObjectNode node = json.valueToTree(PlanReport.of(s.options().net().model(), tuned.program(), step, unfrozen));
        node.put("catalogue", s.backend().kernels(table).versions());
        if (step.plan().features().size() > 0) {
            // It begins at features; the plan that computes those runs once for each image and view where they are kept.
            node.put("resolution", s.options().net().resolution());
            node.set("prefix", json.valueToTree(PlanReport.of(s.options().net().model(), tuned.program(),
                    WholeStep.of(tuned.program().plan(FrozenPrefix.PLAN)), Optional.empty())));
        }
        node.set("tuning", json.valueToTree(table.choices()));
        try {
            AtomicFile.write(file, json.writerWithDefaultPrettyPrinter().writeValueAsBytes(node));
        } catch (JacksonException e) {
            throw new IllegalStateException(e);
        }
    }

    private void say(String line) {
        request.log().println(line);
    }
}
