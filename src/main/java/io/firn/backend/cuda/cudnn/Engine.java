package io.firn.backend.cuda.cudnn;

import java.util.Collections;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * What of cuDNN computes a graph on a device.
 *
 * @param index         of the engine, as cuDNN numbers them; -1 where none was looked for
 * @param knobs         the configuration's choices by cuDNN's number of the knob's type
 * @param workspace     bytes; 0 where no engine was looked for
 * @param compiled      whether its kernel is compiled at run time
 * @param deterministic whether the same inputs give the same bits
 * @param notes         numerical notes, as cuDNN names them in lower case
 */
public record Engine(long index, SortedMap<Integer, Long> knobs, long workspace, boolean compiled, boolean deterministic,
                     List<String> notes) {

    /** Stands for whatever engine there may be, on a machine without cuDNN. */
    public static final Engine NOT_CHECKED = new Engine(-1, new TreeMap<>(), 0, false, false, List.of());

    public Engine {
        knobs = Collections.unmodifiableSortedMap(new TreeMap<>(knobs));
        notes = List.copyOf(notes);
    }

    /** Whether cuDNN finished an execution plan with it. */
    public boolean checked() {
        return index >= 0;
    }

    /** Tells engines and their configurations apart, and is the same in every process. */
    public String choice() {
        return label() + knobs.entrySet().stream().map(k -> " " + k.getKey() + "=" + k.getValue())
                .collect(Collectors.joining());
    }

    /** Such as {@code e3R}: engine 3, compiled at run time. */
    public String label() {
        return checked() ? "e" + index + (compiled ? "R" : "") : "not checked";
    }
}
