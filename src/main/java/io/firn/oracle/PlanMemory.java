package io.firn.oracle;

import io.firn.graph.Value;
import io.firn.plan.Buffer;
import java.util.function.Predicate;

/** The arenas of a program as {@link PlanOracle} simulates them: what launches write into them and read back. */
interface PlanMemory {

    /** What a range of an arena is meant to hold: a state between steps, or a value of a plan within one. */
    record Content(String owner, String name, int id) {

        static Content state(String name) {
            return new Content("", name, -1);
        }

        static Content value(String plan, Value v) {
            return new Content(plan, v.name(), v.id());
        }

        @Override
        public String toString() {
            return owner.isEmpty() ? "state " + name : "%%%d:%s of plan %s".formatted(id, name, owner);
        }
    }

    /**
     * Stores a tensor.
     *
     * @param by   launch that writes, as errors name it
     * @param data its elements in logical row-major order; what a layout adds is written as zero
     */
    void write(String by, Content content, Buffer to, double[] data);

    /** Elements in logical row-major order of what lies there. */
    double[] read(String by, Content content, Buffer from);

    /** Destroys what lies in a range of the scratch arena, as a launch does that uses it as its workspace. */
    void poison(String by, long offset, long bytes);

    /** Ends the step before: of the scratch arena's content only this may still be read. */
    void expire(Predicate<Content> lasting);

    /** From now on what lies there is read under another name. */
    void rename(Buffer where, Content before, Content after);
}
