package io.firn.backend;

import io.firn.plan.Kernels;
import io.firn.plan.PlanRequest;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.plan.Target;
import io.firn.plan.TuningTable;
import java.util.List;

/** A device that runs programs. */
public interface Backend extends AutoCloseable {

    Target target();

    /** What it computes and how, with these measured choices. */
    Kernels kernels(TuningTable table);

    /**
     * The measured choices that these plans take: those that are known already, and what is not known is measured now,
     * which takes seconds where it is much.
     */
    TuningTable tune(List<PlanRequest> requests, TuningTable known);

    /** The precision that {@code --precision auto} means here. */
    Precision bestPrecision();

    /**
     * Refuses a precision that it lacks.
     *
     * @throws io.firn.error.UserError that names what to use
     */
    void check(Precision precision);

    /** Allocates and builds all that the program needs. */
    Session load(Program program);

    /** Measures what this device reaches at best: about half a second of all its threads. */
    Peaks measurePeaks();

    @Override
    void close();
}
