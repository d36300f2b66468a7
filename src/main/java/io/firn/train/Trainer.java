package io.firn.train;

import io.firn.backend.Session;
import io.firn.data.Batch;
import io.firn.data.Batches;
import io.firn.data.Loader;
import io.firn.error.UserError;
import io.firn.models.Model;
import io.firn.plan.Program;
import io.firn.plan.TuningTable;
import io.firn.report.EventFile;
import java.io.PrintStream;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Locale;
import java.util.Optional;

/** The loop of one training, from wherever the run stands to its end. {@link Run} prepares what it needs. */
final class Trainer implements AutoCloseable {
    private final Setup setup;
    private final Team team;
    /** Null on all ranks but the first, as are metrics and events. */
    private final RunFolder folder;
    private final Session session;
    private final TuningTable tuning;
    private final Signals signals;
    private final Progress progress;
    private final Metrics metrics;
    private final EventFile events;
    private final CachedImages images;
    private final Loader loader;
    private final Optional<Loader> validation;
    private final Schedule schedule;
    private final TrainInputs inputs;
    private final States states;
    private final Optional<FreezeAudit> audit;
    private final Model model;
    private final long total;
    private final float[] loss = new float[1];
    private final float[] stop = new float[1];
    private Position at;
    private Evaluation last;
    private Double trainLoss;
    private final long started = System.nanoTime();
    private long lineAt;
    private long checkpointAt = System.nanoTime();
    private long checkpointed;
    private long loopNs;
    private long stepNs;
    private long steps;
    private final Deque<Begun> underWay = new ArrayDeque<>();

    /** A step that was begun, at that learning rate. */
    private record Begun(double rate, Session.Awaited loss) {
    }

    /** @param audit what is frozen as it was at the run's start; empty where nothing is */
    Trainer(Setup setup, Team team, RunFolder folder, Session session, TuningTable tuning, Signals signals, Position at,
            Optional<FreezeAudit> audit, PrintStream log) {
        this.setup = setup;
        this.team = team;
        this.folder = folder;
        this.session = session;
        this.tuning = tuning;
        this.signals = signals;
        Program program = session.program();
        Recipe recipe = setup.options().recipe();
        images = CachedImages.of(setup);
        loader = new Loader(images.train(), setup.training(setup.share()), d -> sayDamaged(d.getMessage()));
        validation = images.validation().filter(_ -> team.leads()).map(v -> new Loader(v,
                setup.validating(setup.validationBatch(setup.share())),
                d -> sayDamaged(d.getMessage())));
        total = recipe.totalSteps(loader.batchesPerEpoch());
        schedule = Schedule.of(recipe, loader.batchesPerEpoch());
        inputs = TrainInputs.of(session, program.plan(Plans.TRAIN));
        states = new States(session);
        model = setup.model(1);
        this.audit = audit;
        this.at = at;
        checkpointed = at.step();
        metrics = team.leads() ? Metrics.resume(folder.metrics(), at.step(), at.epochLines(total)) : null;
        events = team.leads() ? EventFile.start(folder.root(), at.step()) : null;
        progress = Progress.of("train", total, at.step(), log);
    }

    /** Trains to the end and writes the weights. */
    RunSummary train() {
        boolean isUnfinished = team.leads() && (at.step() < total || at.inEpoch() || !RunFolder.isFinished(folder.root()));
        team.busy(false);
        while (at.step() < total || at.inEpoch()) {
            trainEpoch();
            // The other ranks wait meanwhile, at the first exchange of the next epoch.
            team.busy(true);
            finishEpoch();
            team.busy(false);
        }
        if (isUnfinished) {
            checkpoint();
            checkFrozen();
            states.write(folder.weights(), model.graph(), card(), at.step());
        }
        return summary();
    }

    private void trainEpoch() {
        try (Batches batches = loader.epoch(at.epoch(), at.batch())) {
            long since = System.nanoTime();
            lineAt = since;
            while (batches.hasNext() && at.step() + underWay.size() < total) {
                long step = at.step() + underWay.size();
                double rate = schedule.rate(step);
                try (Batch batch = batches.next()) {
                    inputs.fill(batch, rate, step, setup.options().run().seed(), team.rank() * setup.share(),
                            signals.requested());
                }
                begin(rate);
                // Before anything is written down, no step is under way; ranks look at each one whether to stop.
                finish(isCheckpointDue() || signals.requested() || inputs.shared() ? 0 : session.ahead());
                if (team.leads() && isCheckpointDue() && underWay.isEmpty()) {
                    loopNs += System.nanoTime() - since;
                    checkpoint();
                    since = System.nanoTime();
                    lineAt = since;
                }
                if (underWay.isEmpty()) {
                    stopIfAgreed();
                }
            }
            finish(0);
            loopNs += System.nanoTime() - since;
        }
    }

    private void begin(double rate) {
        long start = System.nanoTime();
        underWay.add(new Begun(rate, session.begin(inputs.plan(), "loss")));
        stepNs += System.nanoTime() - start;
    }

    /** Takes the steps' losses in order until no more than {@code left} are under way. */
    private void finish(int left) {
        while (underWay.size() > left) {
            Begun step = underWay.remove();
            long start = System.nanoTime();
            step.loss.copy(loss);
            stepNs += System.nanoTime() - start;
            steps++;
            checkLoss();
            at = at.afterStep(loss[0], (System.nanoTime() - lineAt) / 1e9);
            log(step.rate);
        }
    }

    private void checkLoss() {
        if (!Float.isFinite(loss[0])) {
            throw new UserError(UserError.Kind.DIVERGED, "the loss is %s at step %d; lower --lr (it was %s)%s".formatted(
                    loss[0], at.step() + 1, setup.options().recipe().lr(),
                    checkpointed == 0 ? "" : "; the checkpoint of step %d is kept".formatted(checkpointed)));
        }
    }

    private void log(double rate) {
        long now = System.nanoTime();
        double speed = setup.options().recipe().batch() / ((now - lineAt) / 1e9);
        lineAt = now;
        record(new Metrics.Step(at.step(), at.epoch(), loss[0], rate, (float) speed));
        progress.step(at.step(), loss[0], speed);
    }

    private void record(Metrics.Line line) {
        if (!team.leads()) {
            return;
        }
        metrics.add(line);
        events.add(at.step(), line.scalars());
    }

    /** Validates and writes the epoch's line. A stop in between leaves the epoch open, to be finished by the next process. */
    private void finishEpoch() {
        boolean whole = at.batch() == loader.batchesPerEpoch();
        Evaluation e = validate();
        trainLoss = at.lossSum() / Math.max(1, at.batch());
        record(new Metrics.Epoch(at.epoch(), trainLoss, e == null ? null : e.loss(), e == null ? null : e.top1(),
                e == null ? null : e.top5(), at.seconds()));
        progress.say(String.format(Locale.ROOT, "epoch %d: loss %.4f%s, %.1f s", at.epoch(), trainLoss, e == null ? ""
                : String.format(Locale.ROOT, ", validation loss %.4f, top-1 %.2f %%, top-5 %.2f %%", e.loss(),
                100 * e.top1(), 100 * e.top5()), at.seconds()));
        last = e;
        at = at.afterEpoch(whole, e == null ? -1 : e.top1());
    }

    /** Metrics of the network as it is, which is kept where it is the best so far; null without validation images. */
    private Evaluation validate() {
        if (validation.isEmpty()) {
            return null;
        }
        Outcomes outcomes = new Outcomes(setup.validation().orElseThrow());
        Evaluation e = new Inference(session, session.program().plan(Plans.EVALUATE))
                .evaluate(validation.get(), signals::requested, _ -> { }, outcomes::add);
        stopIfAsked();
        at = at.withSeconds(e.seconds());
        if (!Double.isFinite(e.loss())) {
            throw new UserError(UserError.Kind.DIVERGED, "the validation loss is %s after step %d; lower --lr (it was %s)"
                    .formatted(e.loss(), at.step(), setup.options().recipe().lr()));
        }
        if (e.top1() > at.best()) {
            states.write(folder.best(), model.graph(), card(), at.step());
            outcomes.write(folder.predictions(), at, e, setup.classes(), setup.preprocessing());
        }
        return e;
    }

    private void checkFrozen() {
        audit.ifPresent(a -> progress.say(a.check(folder.freeze(), FreezeAudit.frozenStates(model.graph(),
                Plans.frozen(setup)), FreezeAudit.States.of(session), at.step())));
    }

    private boolean isCheckpointDue() {
        return System.nanoTime() - checkpointAt >= setup.options().run().checkpointEvery() * 1_000_000_000L;
    }

    private void checkpoint() {
        team.busy(true);
        metrics.sync();
        Checkpoint.write(folder.checkpoint(), session, at, setup, tuning);
        checkpointAt = System.nanoTime();
        checkpointed = at.step();
        team.busy(false);
    }

    /** Where several ranks train, all stop after the same step once one of them is asked to. */
    private void stopIfAgreed() {
        if (!inputs.shared()) {
            stopIfAsked();
            return;
        }
        session.output(inputs.plan(), "stop", stop);
        if (stop[0] > 0) {
            stop(signals.requested() ? signals.name() : "a signal to another rank");
        }
    }

    private void stopIfAsked() {
        if (signals.requested()) {
            stop(signals.name());
        }
    }

    private void stop(String why) {
        if (!team.leads()) {
            // Rank 0 still writes the checkpoint: its leaving ends this.
            team.share(new byte[0]);
        }
        checkpoint();
        throw new UserError(UserError.Kind.STOPPED, "%s: stopped at step %d of %d with a checkpoint; run again with "
                .formatted(why, at.step(), total) + "--resume --output " + folder.root() + " to go on");
    }

    private ModelCard card() {
        return new ModelCard(model.name(), model.options(), setup.classes(), setup.preprocessing());
    }

    private void sayDamaged(String what) {
        progress.say("skipping a damaged image: " + what);
    }

    private RunSummary summary() {
        int damaged = loader.damagedImages() + validation.map(Loader::damagedImages).orElse(0);
        if (damaged > 0) {
            progress.say("%d damaged images were skipped".formatted(damaged));
        }
        double seconds = loopNs / 1e9;
        return new RunSummary(team.leads() ? folder.root().toString() : null, model.name(), at.epochLines(at.step()), at.step(), trainLoss,
                last == null ? null : last.loss(), last == null ? null : last.top1(), at.best() < 0 ? null : at.best(),
                (System.nanoTime() - started) / 1e9, steps * setup.options().recipe().batch() / Math.max(1e-9, seconds),
                stepNs / (double) Math.max(1, loopNs));
    }

    @Override
    public void close() {
        progress.close();
        if (team.leads()) {
            metrics.close();
            events.close();
        }
        loader.close();
        validation.ifPresent(Loader::close);
        images.close();
    }
}
