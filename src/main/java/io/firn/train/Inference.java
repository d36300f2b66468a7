package io.firn.train;

import io.firn.backend.Session;
import io.firn.data.Batch;
import io.firn.data.Batches;
import io.firn.data.Loader;
import io.firn.graph.Shape;
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
    private final Views views;
    private final ImageInput images;

    Inference(Session session, Plan plan) {
        this(session, plan, Views.NONE);
    }

    Inference(Session session, Plan plan, Views views) {
        this(session, plan, views, ImageInput.pixels(session));
    }

    /** @param images what puts a batch's images into the plan */
    Inference(Session session, Plan plan, Views views, ImageInput images) {
        this.images = images;
        this.session = session;
        this.plan = plan;
        this.views = views;
        Value out = plan.graph().output("logits");
        classes = out.shape().dim(1);
        logits = new float[Math.toIntExact(out.shape().elements())];
    }

    /** Takes what the network says about one image: {@code classes} logits from {@code from} on. */
    @FunctionalInterface
    interface Visitor {
        void image(int index, int label, float[] logits, int from, int classes);

        /** An image that could not be read. */
        default void damaged(int index) {
        }
    }

    /**
     * Visits every image of the loader's set, in its order.
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
                        } else {
                            visitor.damaged(images + i);
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
        see(batch);
        if (views == Views.MIRROR) {
            float[] first = logits.clone();
            Shape image = plan.graph().input("pixels").shape();
            mirror(batch.images(), image.w(), image.c());
            see(batch);
            for (int i = 0; i < first.length; i++) {
                logits[i] = (first[i] + logits[i]) / 2;
            }
        }
    }

    private void see(Batch batch) {
        images.put(batch, plan);
        MemorySegment.copy(batch.labels(), 0, session.input(plan, "labels"), ValueLayout.JAVA_INT, 0, batch.labels().length);
        session.step(plan);
        session.output(plan, "logits", logits);
    }

    /** Turns left and right round in every row of {@code width} pixels. */
    private static void mirror(MemorySegment images, int width, int channels) {
        byte[] row = new byte[width * channels];
        byte[] turned = new byte[row.length];
        for (long at = 0; at < images.byteSize(); at += row.length) {
            MemorySegment.copy(images, ValueLayout.JAVA_BYTE, at, row, 0, row.length);
            for (int x = 0; x < width; x++) {
                System.arraycopy(row, x * channels, turned, (width - 1 - x) * channels, channels);
            }
            MemorySegment.copy(turned, 0, images, ValueLayout.JAVA_BYTE, at, row.length);
        }
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
