package io.firn.plan;

import io.firn.graph.State;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/**
 * Where each state lies in the state arena, by name: parameters first, then statistics, then the optimizer's slots, each
 * kind together, so that an optimizer's launch walks them in order. Shared by all plans of a program.
 */
public record StateLayout(SequencedMap<String, State> states, SequencedMap<String, Buffer> buffers, long bytes) {

    public StateLayout {
        states = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(states));
        buffers = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(buffers));
    }

    /** Lays out the union of the states, which must agree where they share a name. */
    public static StateLayout of(List<State> all) {
        SequencedMap<String, State> states = new LinkedHashMap<>();
        SequencedMap<String, Buffer> buffers = new LinkedHashMap<>();
        long offset = 0;
        for (State.Kind kind : State.Kind.values()) {
            for (State s : all) {
                if (s.kind() != kind) {
                    continue;
                }
                Buffer known = buffers.get(s.name());
                if (known != null) {
                    if (!known.type().equals(s.value().type())) {
                        throw new IllegalArgumentException("two plans differ over " + s.name());
                    }
                    continue;
                }
                Buffer b = new Buffer(Buffer.Arena.STATE, offset, s.value().type(), Layout.DENSE);
                states.put(s.name(), s);
                buffers.put(s.name(), b);
                offset = Buffer.align(b.end());
            }
        }
        return new StateLayout(states, buffers, offset);
    }

    /** Bytes of the states of one kind, padding between them left out. */
    public long bytes(State.Kind kind) {
        return states.values().stream().filter(s -> s.kind() == kind).mapToLong(s -> s.value().type().bytes()).sum();
    }
}
