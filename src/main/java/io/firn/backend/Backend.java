package io.firn.backend;

import io.firn.plan.Kernels;
import io.firn.plan.PlanRequest;
import io.firn.plan.Planner;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.plan.Target;
import io.firn.plan.TuningTable;
import java.util.List;
import java.util.OptionalLong;
import java.util.function.Predicate;

/** A device that runs programs. */
public interface Backend extends AutoCloseable {

    Target target();

    /** What it computes and how, with these measured choices. */
    Kernels kernels(TuningTable table);

    /** A plan for each request, all over one state, with these measured choices; they have one precision. */
    default Program plan(TuningTable table, List<PlanRequest> requests) {
        return new Planner(target(), kernels(table)).plan(requests.toArray(PlanRequest[]::new));
    }

    /**
     * Plans with measured choices: those that are known already, and what is not known is measured now, which takes
     * seconds where it is much.
     *
     * @param measure asked before anything is measured, with the program as it is by what is known: whether to
     */
    Tuned tune(List<PlanRequest> requests, TuningTable known, Predicate<Program> measure);

    /** The precision that {@code --precision auto} means here. */
    Precision bestPrecision();

    /**
     * Refuses a precision that it lacks.
     *
     * @throws io.firn.error.UserError that names what to use
     */
    void check(Precision precision);

    /** Bytes of the device's own memory that can be had now; empty where it computes in the machine's. */
    default OptionalLong freeMemory() {
        return OptionalLong.empty();
    }

    /** Bytes of the memory that it computes in which a loaded program takes. */
    default long memory(Program program) {
        return program.bytes();
    }

    /**
     * Allocates and builds all that the program needs.
     *
     * @throws io.firn.error.UserError (memory) where there is not enough
     */
    default Session load(Program program) {
        return load(program, Collectives.ALONE);
    }

    /** The same for one of several ranks, of which all load it. */
    Session load(Program program, Collectives ranks);

    /**
     * Refuses to be one of several ranks where it has nothing to exchange through.
     *
     * @throws io.firn.error.UserError that says what is missing
     */
    default void checkRanks() {
    }

    /** Measures what this device reaches at best: about half a second of all its threads. */
    Peaks measurePeaks();

    @Override
    void close();
}
