package io.firn.backend;

import io.firn.plan.Kernels;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.plan.Target;
import io.firn.plan.TuningTable;

/** A device that runs programs. */
public interface Backend extends AutoCloseable {

    Target target();

    /** What it computes and how, with these measured choices. */
    Kernels kernels(TuningTable table);

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

    @Override
    void close();
}
