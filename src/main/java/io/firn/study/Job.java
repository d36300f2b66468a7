package io.firn.study;

import io.firn.train.Config;
import io.firn.train.Price;
import java.util.Map;
import java.util.TreeMap;

/**
 * One training of a study.
 *
 * @param name    of its task, unique within the study
 * @param run     of its folder below {@code runs}; tasks that go on with the same training share it
 * @param group   of trainings that differ by their seed alone
 * @param options of {@code firn train}, by their long names
 * @param price   as planned before it ran
 */
public record Job(String name, String run, String group, Map<String, Object> options, Price price) {
    public Job {
        options = Map.copyOf(options);
    }

    Config config() {
        return Config.of(options);
    }

    /** The same net with another seed. */
    Job withSeed(int seed) {
        Map<String, Object> other = new TreeMap<>(options);
        other.put("seed", seed);
        return new Job(group + "-seed" + seed, group + "-seed" + seed, group, other, price);
    }

    /** The same training as another task. */
    Job named(String other) {
        return new Job(other, run, group, options, price);
    }
}
