package io.firn.study.schedule;

/**
 * One run, as far as scheduling asks.
 *
 * @param name  unique within the study
 * @param group runs that take the same time but for noise, such as the seeds of one network: what one of them took corrects
 *              the prediction of the others
 * @param work  predicted seconds on a device of speed 1
 * @param bytes of memory while it runs
 */
public record Task(String name, String group, double work, long bytes) {
    public Task {
        if (!(work > 0) || Double.isInfinite(work)) {
            throw new IllegalArgumentException("work of " + work + " s");
        }
    }
}
