package io.firn.backend;

import io.firn.plan.Program;
import io.firn.plan.TuningTable;

/**
 * A program and the choices that it was planned with.
 *
 * @param table by measurement; what it lacks was chosen by estimate
 */
public record Tuned(Program program, TuningTable table) {
}
