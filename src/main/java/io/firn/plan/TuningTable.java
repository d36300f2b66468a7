package io.firn.plan;

import java.util.Collections;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/** Choices made by measurement: a shape's key → the chosen implementation's name. Empty means: choose by estimate. */
public record TuningTable(SortedMap<String, String> choices) {

    /** Key of the layout of activations that the plans for which the table was made take. */
    public static final String LAYOUT = "layout";

    public static final TuningTable EMPTY = new TuningTable(new TreeMap<>());

    /** Nothing measured, and only kernels that always give the same bits. */
    public static final TuningTable DETERMINISTIC = new TuningTable(new TreeMap<>(Map.of("deterministic", "true")));

    public TuningTable {
        choices = Collections.unmodifiableSortedMap(new TreeMap<>(choices));
    }

    /** Whether only kernels will do that always give the same bits. */
    public boolean isDeterministic() {
        return choices.containsKey("deterministic");
    }

    /** This table with other choices added; theirs win. */
    public TuningTable with(Map<String, String> more) {
        SortedMap<String, String> all = new TreeMap<>(choices);
        all.putAll(more);
        return new TuningTable(all);
    }
}
