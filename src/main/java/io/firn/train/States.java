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

/** Writes a session's states to files, one tensor after the other, so that the network is never in memory twice. */
final class States {
    private final Session session;
    private float[] last = new float[0];

    States(Session session) {
        this.session = session;
    }

    /** All states, the optimizer's too. */
    void write(Path file) {
        write(file, session.program().state().states().values(), Map.of(), 0);
    }

    /**
     * The network alone, in torchvision's order.
     *
     * @param model the network in its training form
     * @param steps done, which is each batch norm's number of batches
     */
    void write(Path file, Graph model, ModelCard card, long steps) {
        write(file, model.states(), card.metadata(), steps);
    }

    private void write(Path file, Collection<State> states, Map<String, String> metadata, long steps) {
        SequencedMap<String, Shape> shapes = new LinkedHashMap<>();
        states.forEach(s -> shapes.put(s.name(), s.value().shape()));
        Safetensors.write(file, shapes, name -> finite(name, shapes.get(name)), metadata, steps);
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
