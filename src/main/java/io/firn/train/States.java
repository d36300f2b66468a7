package io.firn.train;

import io.firn.backend.Session;
import io.firn.error.UserError;
import io.firn.graph.Graph;
import io.firn.graph.Shape;
import io.firn.graph.State;
import io.firn.weights.Safetensors;
import java.nio.file.Path;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;

/** Writes a session's states to files, one tensor after the other, so that the network is never in memory twice. */
final class States {
    private final Session session;
    private float[] last = new float[0];

    States(Session session) {
        this.session = session;
    }

    /** All that outlives a step: the optimizer's states and moving averages too. */
    void write(Path file) {
        write(file, lasting(session).toList(), s -> s, Map.of(), 0);
    }

    /** What a step leaves for the next; sums of gradients are begun anew. */
    static Stream<State> lasting(Session session) {
        return session.program().state().states().values().stream().filter(s -> s.kind() != State.Kind.GRADIENT);
    }

    /**
     * The network alone, in torchvision's order: moving averages where there are such.
     *
     * @param model the network in its training form
     * @param steps done, which is each batch norm's number of batches
     */
    void write(Path file, Graph model, ModelCard card, long steps) {
        Set<String> known = session.program().state().states().keySet();
        write(file, model.states(), name -> known.contains(State.average(name)) ? State.average(name) : name,
                card.metadata(), steps);
    }

    /** @param source the state that a tensor of that name is read from */
    private void write(Path file, Collection<State> states, UnaryOperator<String> source, Map<String, String> metadata,
                       long steps) {
        SequencedMap<String, Shape> shapes = new LinkedHashMap<>();
        states.forEach(s -> shapes.put(s.name(), s.value().shape()));
        Safetensors.write(file, shapes, name -> finite(source.apply(name), shapes.get(name)), metadata, steps);
    }

    private float[] finite(String name, Shape shape) {
        int n = Math.toIntExact(shape.elements());
        if (last.length != n) {
            last = new float[n];
        }
        session.readState(name, last);
        for (float v : last) {
            if (!Float.isFinite(v)) {
                throw new UserError(UserError.Kind.DIVERGED, name + " holds numbers that are not finite: nothing was "
                        + "written; lower --lr");
            }
        }
        return last;
    }
}
