package io.firn.train;

import io.firn.backend.Backend;
import io.firn.backend.Session;
import io.firn.graph.Update;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.plan.Plan;
import io.firn.plan.PlanRequest;
import io.firn.plan.Precision;
import io.firn.plan.TuningTable;
import io.firn.weights.Initializer;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;

/**
 * Trains a small net on pictures that are easy to tell apart: each class has four by four squares of its own colours,
 * under noise. Correct launches in a wrong order would show here.
 */
final class ShortTraining {
    private static final String MODEL = "resnet20";
    private static final int CLASSES = 10;
    private static final int RESOLUTION = 32;
    private static final int SQUARES = 4;
    private static final int BATCH = 32;
    private static final int NOISE = 60;
    private static final double RATE = 0.05;
    private static final int AVERAGED = 5;
    private static final int REPEATED = 5;

    private final Session session;
    private final Plan plan;
    private final Model model;

    private ShortTraining(Session session, Model model) {
        this.session = session;
        this.model = model;
        plan = session.program().plans().getFirst();
    }

    static SelftestReport.Training run(Backend backend, Precision precision, int steps) {
        Model m = Models.build(MODEL, ModelOptions.defaults().withBatch(BATCH).withResolution(RESOLUTION)
                .withClasses(CLASSES));
        var training = new PlanRequest.Training(Set.of(), _ -> new Update.Sgd(0.9, 1e-4, false, 1), 0);
        var request = new PlanRequest(Plans.TRAIN, m.graph(), m.preset().mean(), m.preset().std(), precision,
                Optional.of(training));
        try (Session session = backend.load(backend.plan(TuningTable.EMPTY, List.of(request)))) {
            var t = new ShortTraining(session, m);
            float[] losses = t.train(steps);
            float[] again = t.train(Math.min(REPEATED, steps));
            return new SelftestReport.Training(MODEL, precision.label(), steps, mean(losses, 0),
                    mean(losses, Math.max(0, steps - AVERAGED)),
                    Arrays.equals(again, Arrays.copyOf(losses, again.length)));
        }
    }

    private static double mean(float[] losses, int from) {
        double sum = 0;
        int end = Math.min(losses.length, from + AVERAGED);
        for (int i = from; i < end; i++) {
            sum += losses[i];
        }
        return sum / (end - from);
    }

    private float[] train(int steps) {
        session.program().state().states().forEach((name, s) -> session.writeState(name,
                new float[Math.toIntExact(s.value().shape().elements())]));
        Initializer.initialize(model.graph(), 1, model.initialization()::sampler).forEach(session::writeState);
        Random random = new Random(1);
        byte[] colours = new byte[CLASSES * SQUARES * SQUARES * 3];
        random.nextBytes(colours);
        float[] losses = new float[steps];
        float[] loss = new float[1];
        for (int i = 0; i < steps; i++) {
            draw(colours, random);
            FixedInputs.step(session, plan, RATE, i);
            session.step(plan);
            session.output(plan, "loss", loss);
            losses[i] = loss[0];
        }
        return losses;
    }

    private void draw(byte[] colours, Random random) {
        MemorySegment pixels = session.input(plan, "pixels");
        MemorySegment labels = session.input(plan, "labels");
        int square = RESOLUTION / SQUARES;
        long at = 0;
        for (int n = 0; n < BATCH; n++) {
            int label = random.nextInt(CLASSES);
            labels.setAtIndex(ValueLayout.JAVA_INT, n, label);
            for (int y = 0; y < RESOLUTION; y++) {
                for (int x = 0; x < RESOLUTION; x++) {
                    for (int c = 0; c < 3; c++) {
                        int from = ((label * SQUARES + y / square) * SQUARES + x / square) * 3 + c;
                        int v = (colours[from] & 0xFF) + random.nextInt(2 * NOISE) - NOISE;
                        pixels.set(ValueLayout.JAVA_BYTE, at++, (byte) Math.clamp(v, 0, 255));
                    }
                }
            }
        }
    }
}
