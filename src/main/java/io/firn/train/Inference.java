package io.firn.train;

import io.firn.backend.Session;
import io.firn.data.Batch;
import io.firn.data.Batches;
import io.firn.data.Loader;
import io.firn.graph.Value;
import io.firn.plan.Plan;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.BooleanSupplier;
import java.util.function.IntConsumer;

/** Runs an evaluation plan over a data set, batch by batch. */
final class Inference {
    private final Session session;
    private final Plan plan;
    private final int classes;
    private final float[] logits;

    Inference(Session session, Plan plan) {
        this.session = session;
        this.plan = plan;
        Value out = plan.graph().output("logits");
        classes = out.shape().dim(1);
        logits = new float[Math.toIntExact(out.shape().elements())];
    }

    /** Takes what the network says about one image: {@code classes} logits from {@code from} on. */
    @FunctionalInterface
    interface Visitor {
        void image(int index, int label, float[] logits, int from, int classes);
    }

    /**
     * Visits every image of the loader's set that could be read, in its order.
     *
     * @param done told how many of the set's images are done
     * @return whether it came to the end before {@code stop} said so
     */
    boolean run(Loader loader, BooleanSupplier stop, IntConsumer done, Visitor visitor) {
        int images = 0;
        try (Batches batches = loader.epoch(0, 0)) {
            while (batches.hasNext()) {
                if (stop.getAsBoolean()) {
                    return false;
                }
                try (Batch batch = batches.next()) {
                    step(batch);
                    for (int i = 0; i < batch.count(); i++) {
                        if (batch.indices()[i] >= 0) {
                            visitor.image(batch.indices()[i], batch.labels()[i], logits, i * classes, classes);
                        }
                    }
                    images += batch.count();
                    done.accept(images);
                }
            }
            return true;
        }
    }

    private void step(Batch batch) {
        MemorySegment pixels = session.input(plan, "pixels");
        MemorySegment.copy(batch.images(), 0, pixels, 0, pixels.byteSize());
        MemorySegment.copy(batch.labels(), 0, session.input(plan, "labels"), ValueLayout.JAVA_INT, 0, batch.labels().length);
        session.step(plan);
        session.output(plan, "logits", logits);
    }

    /** Metrics over the loader's set; null where {@code stop} cut it short. */
    Evaluation evaluate(Loader loader, BooleanSupplier stop, IntConsumer done) {
        return evaluate(loader, stop, done, (_, _, _, _, _, _) -> { });
    }

    /** Takes an image that has a label, with its cross-entropy. */
    @FunctionalInterface
    interface Judged {
        void image(int index, int label, double loss, float[] logits, int from, int classes);
    }

    /** The same, telling of each image. */
    Evaluation evaluate(Loader loader, BooleanSupplier stop, IntConsumer done, Judged judged) {
        long start = System.nanoTime();
        Score score = new Score();
        boolean whole = run(loader, stop, done, (index, label, values, from, n) -> {
            double entropy = score.add(values, from, n, label);
            if (label >= 0) {
                judged.image(index, label, entropy, values, from, n);
            }
        });
        return whole ? score.result((System.nanoTime() - start) / 1e9) : null;
    }
}
