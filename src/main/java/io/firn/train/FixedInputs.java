package io.firn.train;

import io.firn.backend.Session;
import io.firn.graph.Counter;
import io.firn.graph.Rates;
import io.firn.graph.Value;
import io.firn.plan.Plan;
import io.firn.plan.WholeStep;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.random.RandomGenerator;

/** Fills a plan's inputs without a data set: random pixels and labels, and the numbers that steer a step. */
public final class FixedInputs {
    /** No power of two, so that a wrong share shows. */
    private static final float LAMBDA = 0.7f;

    private FixedInputs() {
    }

    /** All inputs of the plan, for its first step at that learning rate. */
    public static void fill(Session session, Plan plan, double rate, RandomGenerator random) {
        for (Value v : plan.graph().inputs()) {
            MemorySegment to = session.input(plan, v.name());
            switch (v.name()) {
                case "pixels" -> {
                    byte[] pixels = new byte[Math.toIntExact(to.byteSize())];
                    random.nextBytes(pixels);
                    MemorySegment.copy(pixels, 0, to, ValueLayout.JAVA_BYTE, 0, pixels.length);
                }
                case "labels", "partners" -> {
                    int classes = plan.graph().output("logits").shape().c();
                    for (int i = 0; i < v.shape().n(); i++) {
                        to.setAtIndex(ValueLayout.JAVA_INT, i, random.nextInt(classes));
                    }
                }
                case "rates", "counter" -> to.fill((byte) 0);
                default -> throw new IllegalArgumentException("nothing to fill input " + v + " with");
            }
        }
        step(session, plan, rate, 0);
    }

    /** Milliseconds that the step takes whose number that is, from 0. */
    public static double timed(Session session, WholeStep whole, double rate, int step) {
        whole.plans().forEach(p -> step(session, p, rate, step));
        long start = System.nanoTime();
        for (Plan p : whole.plans()) {
            for (int times = whole.times(p); times > 0; times--) {
                session.step(p);
            }
        }
        return (System.nanoTime() - start) / 1e6;
    }

    /** What differs between steps; the first is 0. */
    public static void step(Session session, Plan plan, double rate, int step) {
        for (Value v : plan.graph().inputs()) {
            if (v.name().equals("rates")) {
                MemorySegment to = session.input(plan, v.name()).fill((byte) 0);
                to.setAtIndex(ValueLayout.JAVA_FLOAT, Rates.LEARNING_RATE, (float) rate);
                to.setAtIndex(ValueLayout.JAVA_FLOAT, Rates.STEP, step + 1);
                to.setAtIndex(ValueLayout.JAVA_FLOAT, Rates.MIX, LAMBDA);
            } else if (v.name().equals("counter")) {
                session.input(plan, v.name()).fill((byte) 0).setAtIndex(ValueLayout.JAVA_INT, Counter.STEP, step);
            }
        }
    }
}
