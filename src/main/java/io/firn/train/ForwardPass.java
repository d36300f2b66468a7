package io.firn.train;

import io.firn.backend.Session;
import io.firn.graph.Shape;
import io.firn.graph.State;
import io.firn.plan.Plan;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Optional;
import java.util.SequencedMap;

/**
 * A trained network for programs that have their images as numbers: a batch of pixels in, features and logits out, in
 * evaluation mode. {@link Classifier#forward} makes it; close it before the classifier. Not for several threads at once.
 *
 * <p>Memory is lent, not copied, where it lies in this process as wanted: it must not be touched after {@link #close}.
 */
public final class ForwardPass implements AutoCloseable {
    /** What the classifier reads: f32 [N, features]. */
    public static final String FEATURES = "features";
    /** What the classifier says: f32 [N, classes]. */
    public static final String LOGITS = "logits";
    static final String PLAN = "forward";

    private final Session session;
    private final Plan plan;

    ForwardPass(Session session) {
        this.session = session;
        plan = session.program().plan(PLAN);
        session.input(plan, "labels").fill((byte) 0);
    }

    /** Unsigned bytes, [N, height, width, channels]: what the pixels are to be. */
    public Shape pixelShape() {
        Shape s = plan.graph().input("pixels").shape();
        return Shape.of(s.n(), s.h(), s.w(), s.c());
    }

    /** Memory to fill before each {@link #run}; ask for it again after that. */
    public MemorySegment pixels() {
        return session.input(plan, "pixels");
    }

    /** Computes both outputs of what lies in {@link #pixels}. */
    public void run() {
        session.step(plan);
    }

    /** Of {@link #FEATURES} or {@link #LOGITS}. */
    public Shape shape(String output) {
        return plan.output(output).type().shape();
    }

    /** An output's own memory, valid until the next {@link #run}; empty where the device has memory of its own. */
    public Optional<MemorySegment> memory(String output) {
        return session.memory(plan, output);
    }

    /** Copies an output in row-major order. */
    public void copy(String output, float[] to) {
        session.output(plan, output, to);
    }

    /** Parameters and running statistics with their shapes, by torchvision's names, in its order. */
    public SequencedMap<String, Shape> weights() {
        SequencedMap<String, Shape> all = new LinkedHashMap<>();
        for (State s : session.program().state().states().values()) {
            all.put(s.name(), s.value().shape());
        }
        return all;
    }

    /** A weight's own memory, to be read only; empty where the device has memory of its own. */
    public Optional<MemorySegment> weightMemory(String name) {
        return session.stateMemory(name);
    }

    /** Copies a weight. */
    public void readWeight(String name, float[] to) {
        session.readState(name, to);
    }

    /** Replaces a weight from the next {@link #run} on. */
    public void writeWeight(String name, float[] from) {
        session.writeState(name, from);
    }

    @Override
    public void close() {
        session.close();
    }
}
