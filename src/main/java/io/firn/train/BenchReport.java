package io.firn.train;

import io.firn.backend.Peaks;
import java.util.Arrays;
import java.util.List;
import java.util.function.DoubleUnaryOperator;

/**
 * What {@code firn bench} measured.
 *
 * @param microBatches  of so many images each, whose mean gradient a step takes
 * @param mode          {@code train} or {@code infer}
 * @param stepMs        milliseconds of a step
 * @param memoryBytes   resident memory of the process beyond what it had when the device's library had been loaded
 * @param rooflineShare the least time that the step's launches could take at the machine's peaks, one by one, as a share
 *                      of the median step; above 1 where operands stay in caches
 * @param steps         that were timed
 * @param planBytes     both arenas, as {@code firn plan} shows them
 * @param predictedMs   of a step, by the plan
 * @param flops         of a step
 * @param bytes         of memory traffic of a step, each launch's operands and results once
 * @param peaks         as measured in this process, after the steps
 * @param versions      of the device's libraries
 * @param launches      the slowest ones, each timed alone
 */
public record BenchReport(String model, String device, String precision, int batch, int microBatches, int resolution,
                          String mode, String freeze, Spread imagesPerS, Spread stepMs, long memoryBytes, double rooflineShare, int steps,
                          int warmup, int threads, long planBytes, double predictedMs, long flops, long bytes, Peaks peaks,
                          String versions, List<LaunchTime> launches) {

    public BenchReport {
        launches = List.copyOf(launches);
    }

    /** Of the steps. */
    public record Spread(double median, double min, double max) {

        static Spread of(double[] values) {
            double[] v = values.clone();
            Arrays.sort(v);
            return new Spread((v[v.length / 2] + v[(v.length - 1) / 2]) / 2, v[0], v[v.length - 1]);
        }

        /** Of a function that falls. */
        Spread inverse(DoubleUnaryOperator falling) {
            return new Spread(falling.applyAsDouble(median), falling.applyAsDouble(max), falling.applyAsDouble(min));
        }
    }

    /**
     * One launch, the fastest of a few runs.
     *
     * @param rooflineShare as for the step
     */
    public record LaunchTime(String name, String op, String phase, String kernel, double ms, double gflopPerS,
                             double gbPerS, double rooflineShare) {
    }
}
