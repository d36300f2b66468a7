package io.firn.train;

import io.firn.backend.Session;
import io.firn.data.Batches;
import io.firn.data.Loader;
import io.firn.error.UserError;
import io.firn.models.Model;
import io.firn.plan.TuningTable;
import io.firn.report.EventFile;
import java.io.PrintStream;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** The loop of one training, from wherever the run stands to its end. {@link Run} prepares what it needs. */
final class Trainer implements AutoCloseable {
    /** Steps without finite gradients after which there is no hope. */
    private static final int MOST_SKIPPED = 20;

    private final Setup setup;
    private final Team team;
    /** Null on all ranks but the first, as are metrics, events and resources. */
    private final RunFolder folder;
    private final Session session;
    private final TuningTable tuning;
    private final Signals signals;
    private final Progress progress;
    private final Metrics metrics;
    private final EventFile events;
    private final Resources resources;
    private final CachedImages images;
    private final ImageInput input;
    private final Loader loader;
    private final Optional<Loader> validation;
    private final Schedule schedule;
    private final TrainStep step;
    private final States states;
    private final Optional<FreezeAudit> audit;
    private final int end;
    private final Model model;
    private final long total;
    private final int stepsPerEpoch;
    private final float[] stop = new float[1];
    private Position at;
    private Evaluation last;
    private Double trainLoss;
    private final long started = System.nanoTime();
    private long lineAt;
    private long waitedNs;
    private long checkpointAt = System.nanoTime();
    private long checkpointed;
    private long loopNs;
    private long steps;
    private Optional<Loader> smaller = Optional.empty();
    private int damagedBefore;
    private long skipped;
    private int skippedInARow;
    private final Deque<TrainStep.Begun> underWay = new ArrayDeque<>();

    /**
     * @param audit what is frozen as it was at the run's start; empty where nothing is
     * @param features what the frozen prefix says of the images; empty where each plan begins at pixels
     * @param end   the epoch before which the phase ends; epochs of the run's schedule go on beyond it
     */
    Trainer(Setup setup, Team team, RunFolder folder, Session session, TuningTable tuning, Signals signals, Position at,
            Optional<FreezeAudit> audit, Optional<Features> features, int end, PrintStream log) {
        this.setup = setup;
        this.team = team;
        this.folder = folder;
        this.session = session;
        this.tuning = tuning;
        this.signals = signals;
        Recipe recipe = setup.options().recipe();
        Optional<Features> kept = features.filter(Features::areKept);
        input = features.<ImageInput>map(f -> f).orElseGet(() -> ImageInput.pixels(session));
        damagedBefore = kept.map(Features::damaged).orElse(0);
        images = kept.isPresent() ? new CachedImages(setup.train(), setup.validation(), List.of()) : CachedImages.of(setup);
        loader = kept.map(Features::training).orElseGet(() -> new Loader(images.train(), setup.training(setup.share()),
                d -> sayDamaged(d.getMessage())));
        validation = kept.isPresent() ? kept.get().validating() : images.validation().filter(_ -> team.leads())
                .map(v -> new Loader(v, setup.validating(setup.validationBatch(setup.share())),
                        d -> sayDamaged(d.getMessage())));
        stepsPerEpoch = setup.stepsPerEpoch();
        total = setup.totalSteps();
        schedule = Schedule.of(recipe, stepsPerEpoch);
        step = new TrainStep(setup, session, input);
        states = new States(session);
        model = setup.model(1);
        this.audit = audit;
        this.end = end;
        this.at = at;
        checkpointed = at.step();
        metrics = team.leads() ? Metrics.resume(folder.metrics(), at.step(), at.epochLines(total)) : null;
        events = team.leads() ? EventFile.start(folder.root(), at.step()) : null;
        resources = team.leads() ? new Resources(folder.resources(), events, ResidentMemory::bytes) : null;
        progress = Progress.of("train", total, at.step(),
                new Progress.Memory(session.program().bytes(), ResidentMemory::bytes), log);
    }

    /** Trains to the end of the phase, and where that is the run's, writes the weights. */
    RunSummary train() {
        boolean isUnfinished = team.leads() && (!isDone() || !RunFolder.isFinished(folder.root()));
        team.busy(false);
        while (!isDone() && at.epoch() < end) {
            trainEpoch();
            // The other ranks wait meanwhile, at the first exchange of the next epoch.
            team.busy(true);
            finishEpoch();
            team.busy(false);
        }
        if (isUnfinished) {
            checkFrozen();
            if (isDone()) {
                checkpoint();
                states.write(folder.weights(), model.graph(), card(), forwards());
            }
        }
        return summary();
    }

    /** Whether the run is at its end: by its length, or since validation has not become better for too long. */
    boolean isDone() {
        Integer patience = setup.options().transfer().patience();
        return !at.inEpoch() && (at.step() >= total || patience != null && validation.isPresent()
                && at.sinceBest() >= patience);
    }

    Position position() {
        return at;
    }

    private void trainEpoch() {
        int resolution = setup.resolution(at.epoch());
        int micro = setup.options().update().gradAccumulation();
        try (Batches batches = loader(resolution).epoch(at.epoch(), at.batch() * micro)) {
            long since = System.nanoTime();
            lineAt = since;
            while (at.batch() + underWay.size() < stepsPerEpoch && at.step() + underWay.size() < total) {
                long number = at.step() + underWay.size();
                underWay.add(step.begin(batches, resolution, schedule.rate(number), number, team.rank() * setup.share(),
                        signals.requested()));
                // Before anything is written down, no step is under way; ranks look at each one whether to stop.
                finish(isCheckpointDue() || signals.requested() || step.isShared() ? 0 : session.ahead());
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

    /** What reads images of that size. */
    private Loader loader(int resolution) {
        if (resolution == loader.options().height()) {
            closeSmaller();
            return loader;
        }
        if (smaller.isEmpty() || smaller.get().options().height() != resolution) {
            closeSmaller();
            smaller = Optional.of(loader.with(setup.training(setup.share(), resolution)));
        }
        return smaller.get();
    }

    private void closeSmaller() {
        smaller.ifPresent(l -> {
            damagedBefore += l.damagedImages();
            l.close();
        });
        smaller = Optional.empty();
    }

    /** Takes the steps' losses in order until no more than {@code left} are under way. */
    private void finish(int left) {
        while (underWay.size() > left) {
            TrainStep.Begun begun = underWay.remove();
            float loss = step.await(begun);
            steps++;
            skipped += begun.wasSkipped() ? 1 : 0;
            skippedInARow = begun.wasSkipped() ? skippedInARow + 1 : 0;
            checkLoss(loss);
            at = at.afterStep(loss, (System.nanoTime() - lineAt) / 1e9);
            log(loss, begun);
        }
    }

    private void checkLoss(float loss) {
        if (!Float.isFinite(loss) || skippedInARow == MOST_SKIPPED) {
            throw new UserError(UserError.Kind.DIVERGED, "%s at step %d; lower --lr (it was %s)%s".formatted(
                    Float.isFinite(loss) ? "the gradients of %d steps in a row were not finite".formatted(MOST_SKIPPED)
                            : "the loss is " + loss, at.step() + 1, setup.options().recipe().lr(),
                    checkpointed == 0 ? "" : "; the checkpoint of step %d is kept".formatted(checkpointed)));
        }
    }

    private void log(float loss, TrainStep.Begun begun) {
        long now = System.nanoTime();
        long ns = now - lineAt;
        long waitNs = step.waitNs() - waitedNs;
        lineAt = now;
        waitedNs = step.waitNs();
        record(new Metrics.Step(at.step(), at.epoch(), loss, begun.rate(), (float) (setup.imagesPerStep() / (ns / 1e9)),
                begun.gradientNorm()));
        Progress.Step done = new Progress.Step(at.step(), loss, begun.rate(), setup.imagesPerStep(), ns, waitNs);
        progress.step(done);
        if (team.leads()) {
            resources.step(done);
        }
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
        boolean whole = at.batch() == stepsPerEpoch;
        Evaluation e = validate();
        trainLoss = at.lossSum() / Math.max(1, at.batch());
        record(new Metrics.Epoch(at.epoch(), trainLoss, e == null ? null : e.loss(), e == null ? null : e.top1(),
                e == null ? null : e.top5(), at.seconds()));
        progress.say(String.format(Locale.ROOT, "epoch %d: loss %.4f%s, %.1f s", at.epoch(), trainLoss, e == null ? ""
                : String.format(Locale.ROOT, ", validation loss %.4f, top-1 %.2f %%, top-5 %.2f %%", e.loss(),
                100 * e.top1(), 100 * e.top5()), at.seconds()));
        last = e;
        sayIfOver(e, whole);
        at = at.afterEpoch(whole, e == null ? -1 : e.top1());
    }

    private void sayIfOver(Evaluation e, boolean whole) {
        Integer patience = setup.options().transfer().patience();
        if (patience != null && e != null && at.step() < total && at.afterEpoch(whole, e.top1()).sinceBest() >= patience) {
            progress.say("validation has not become better for %d epochs: training ends (--patience)".formatted(patience));
        }
    }

    /** Metrics of the network as it is, which is kept where it is the best so far; null without validation images. */
    private Evaluation validate() {
        if (validation.isEmpty()) {
            return null;
        }
        Outcomes outcomes = new Outcomes(setup.validation().orElseThrow());
        Evaluation e = new Inference(session, session.program().plan(Plans.EVALUATE), Views.NONE, input)
                .evaluate(validation.get(), signals::requested, _ -> { }, outcomes::add);
        stopIfAsked();
        at = at.withSeconds(e.seconds());
        if (!Double.isFinite(e.loss())) {
            throw new UserError(UserError.Kind.DIVERGED, "the validation loss is %s after step %d; lower --lr (it was %s)"
                    .formatted(e.loss(), at.step(), setup.options().recipe().lr()));
        }
        if (e.top1() > at.best()) {
            states.write(folder.best(), model.graph(), card(), forwards());
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
        if (!step.isShared()) {
            stopIfAsked();
            return;
        }
        session.output(step.plan(setup.resolution(at.epoch())), "stop", stop);
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

    /** Batches that batch norms have seen. */
    private long forwards() {
        return at.step() * setup.options().update().gradAccumulation();
    }

    private ModelCard card() {
        return new ModelCard(model.name(), model.options(), setup.classes(), setup.preprocessing());
    }

    private void sayDamaged(String what) {
        progress.say("skipping a damaged image: " + what);
    }

    private RunSummary summary() {
        int damaged = damagedBefore + loader.damagedImages() + validation.map(Loader::damagedImages).orElse(0);
        if (damaged > 0) {
            progress.say("%d damaged images were skipped".formatted(damaged));
        }
        if (skipped > 0) {
            progress.say("%d steps were skipped: their gradients were not finite".formatted(skipped));
        }
        double seconds = loopNs / 1e9;
        return new RunSummary(team.leads() ? folder.root().toString() : null, model.name(), at.epochLines(at.step()),
                at.step(), trainLoss,
                last == null ? null : last.loss(), last == null ? null : last.top1(), at.best() < 0 ? null : at.best(),
                (System.nanoTime() - started) / 1e9, steps * setup.imagesPerStep() / Math.max(1e-9, seconds),
                step.ns() / (double) Math.max(1, loopNs), step.waitNs() / (double) Math.max(1, loopNs));
    }

    @Override
    public void close() {
        closeSmaller();
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
