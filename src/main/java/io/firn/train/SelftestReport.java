package io.firn.train;

import com.fasterxml.jackson.annotation.JsonIgnore;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What {@code firn selftest} found.
 *
 * @param passed    whether everything was within its tolerance
 * @param launches  that were held to the oracle
 * @param nets      the models and shapes
 * @param kernels   the worst error of each kind of launch, nearest to its tolerance first
 * @param steps     whole steps against the oracle
 * @param trainings short trainings
 * @param memory    memory against the plan's
 * @param failures  everything that was not within its tolerance, in words
 */
public record SelftestReport(boolean passed, String device, String versions, List<String> precisions, int launches,
                             List<Net> nets, List<KernelErrors> kernels, List<StepCheck> steps, List<Training> trainings,
                             MemoryCheck memory, List<Checked> failedLaunches, List<String> failures, double seconds) {

    public SelftestReport {
        nets = List.copyOf(nets);
        kernels = List.copyOf(kernels);
        steps = List.copyOf(steps);
        trainings = List.copyOf(trainings);
        failedLaunches = List.copyOf(failedLaunches);
        failures = List.copyOf(failures);
    }

    /** A net that was checked. */
    public record Net(String model, String precision, int batch, int channels, int resolution, int classes,
                      String optimizer, int launches, double seconds) {
    }

    /**
     * One launch against the oracle.
     *
     * @param shapes    of operands and results of the node that computes most
     * @param error     the largest, as a share of its element's magnitude
     * @param tolerance of that share
     * @param worst     the element with the largest error
     */
    public record Checked(String model, String precision, String plan, String launch, String op, String kernel,
                          List<String> shapes, double error, double tolerance, String worst) {

        @JsonIgnore
        boolean passes() {
            return error <= tolerance;
        }

        String kind() {
            return kernel.endsWith(":fused") ? kernel + " " + op : kernel;
        }

        @Override
        public String toString() {
            return "%s %s, plan %s: %s (%s by %s, %s) is off by %.2e, allowed %.0e; %s".formatted(model, precision, plan,
                    launch, op, kernel, String.join(", ", shapes), error, tolerance, worst);
        }
    }

    /** Launches of one kind. */
    public record KernelErrors(String kernel, int launches, double error, double tolerance, String worst) {
    }

    /**
     * A whole step against the oracle in double precision, where rounding adds up over all layers.
     *
     * @param what  {@code loss} or {@code gradients} of a training step, or {@code logits} of an evaluation
     * @param error relative to the loss, to the largest logit, or to the length of all gradients together
     */
    public record StepCheck(String model, String precision, String what, double error, double tolerance) {
    }

    /**
     * A training of a few dozen steps on a set that is easy to learn.
     *
     * @param firstLoss mean over the first steps
     * @param lastLoss  mean over the last steps
     * @param repeats   whether a second training from the same start had the same losses, bit for bit
     */
    public record Training(String model, String precision, int steps, double firstLoss, double lastLoss, boolean repeats) {
    }

    /**
     * The growth by a program that was loaded and run.
     *
     * @param planned     bytes of both arenas, and on a GPU what else is allocated with them
     * @param grown       bytes of resident memory, or of the GPU's, beyond what was taken before
     * @param mostAllowed bytes
     */
    public record MemoryCheck(String model, long planned, long grown, long mostAllowed) {
    }

    /** Of each kind of launch the one that came nearest to its tolerance. */
    static List<KernelErrors> byKernel(List<Checked> all) {
        Map<String, List<Checked>> kinds = new LinkedHashMap<>();
        all.forEach(c -> kinds.computeIfAbsent(c.kind() + (c.tolerance() > 1e-5 ? " bf16" : ""), _ -> new ArrayList<>())
                .add(c));
        List<KernelErrors> errors = new ArrayList<>();
        kinds.forEach((kind, launches) -> {
            Checked worst = launches.stream().max(Comparator.comparingDouble(Checked::error)).orElseThrow();
            errors.add(new KernelErrors(kind, launches.size(), worst.error(), worst.tolerance(),
                    worst.model() + " " + worst.launch()));
        });
        errors.sort(Comparator.comparingDouble((KernelErrors e) -> e.error() / e.tolerance()).reversed());
        return errors;
    }
}
