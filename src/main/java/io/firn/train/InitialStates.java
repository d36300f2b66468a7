package io.firn.train;

import io.firn.backend.Session;
import io.firn.error.UserError;
import io.firn.graph.Shape;
import io.firn.graph.State;
import io.firn.models.Model;
import io.firn.weights.Initializer;
import io.firn.weights.Matching;
import io.firn.weights.Safetensors;
import io.firn.weights.Tensor;
import io.firn.weights.WeightFile;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.function.Consumer;

/** What a network's states hold before the first step: a file's tensors where there are, else fresh ones. */
public final class InitialStates {
    private final Model model;
    private final long seed;
    private final Map<String, Tensor> given;
    private final Set<String> fresh;

    private InitialStates(Model model, long seed, Map<String, Tensor> given, Set<String> fresh) {
        this.model = model;
        this.seed = seed;
        this.given = given;
        this.fresh = fresh;
    }

    /**
     * Reads the weights that {@code --init} names; none where it is not given.
     *
     * @param say takes what was put right, such as a replaced classifier
     * @throws io.firn.error.UserError (data) where they cannot be read or do not fit
     */
    public static InitialStates of(Setup s, Consumer<String> say) {
        Optional<Matching> matching = Optional.ofNullable(s.options().net().init()).map(name -> {
            Path file = WeightFiles.find(Path.of(name));
            WeightFile read = WeightFile.read(file);
            read.messages().forEach(say);
            Matching m = Matching.match(s.model(1).graph(), read.weights(), file.toString());
            checkFinite(m, file);
            m.messages().forEach(say);
            return m;
        });
        return new InitialStates(s.model(1), s.options().run().seed(), matching.map(m -> (Map<String, Tensor>) m.tensors())
                .orElse(Map.of()), matching.map(Matching::fresh).orElse(Set.of()));
    }

    private static void checkFinite(Matching m, Path file) {
        m.tensors().forEach((name, t) -> {
            for (float v : t.data()) {
                if (!Float.isFinite(v)) {
                    throw UserError.data("%s: %s holds numbers that are not finite, as after a training that diverged: take "
                            + "earlier weights", file, name);
                }
            }
        });
    }

    /** Random weights. */
    static InitialStates random(Model model, long seed) {
        return new InitialStates(model, seed, Map.of(), Set.of());
    }

    /** Random weights of another seed, whatever was given. */
    public InitialStates random(long otherSeed) {
        return random(model, otherSeed);
    }

    /** The classifier's states, where the file's has another number of classes and a fresh one replaces it. */
    public Set<String> fresh() {
        return fresh;
    }

    /** The same with other numbers for some states. */
    public InitialStates with(Map<String, float[]> others) {
        Map<String, Tensor> all = new HashMap<>(given);
        model.graph().states().stream().filter(s -> others.containsKey(s.name())).forEach(s ->
                all.put(s.name(), new Tensor(s.value().shape(), () -> others.get(s.name()))));
        return new InitialStates(model, seed, all, Set.of());
    }

    /**
     * Writes them as a weight file.
     *
     * @param card what the file is to say about itself
     */
    public void write(Path file, ModelCard card) {
        SequencedMap<String, Shape> shapes = new LinkedHashMap<>();
        model.graph().states().forEach(s -> shapes.put(s.name(), s.value().shape()));
        Safetensors.write(file, shapes, name -> of(model.graph().state(name)), card.metadata(), 0);
    }

    /** A state's numbers, in torchvision's layout. A moving average begins as what it is of. */
    public float[] of(State state) {
        return switch (state.kind()) {
            case PARAMETER, STATISTIC -> of(state.name());
            case AVERAGE -> of(state.averaged());
            case OPTIMIZER, GRADIENT -> {
                float[] data = new float[Math.toIntExact(state.value().shape().elements())];
                Arrays.fill(data, (float) state.initial());
                yield data;
            }
        };
    }

    private float[] of(String name) {
        Tensor t = given.get(name);
        return t != null ? t.data()
                : Initializer.initialize(model.graph(), seed, model.initialization()::sampler, name::equals).get(name);
    }

    /** Fills all states of a session; one after the other, so that few are in Java's heap. */
    public void write(Session session) {
        session.program().state().states().values().forEach(s -> session.writeState(s.name(), of(s)));
    }
}
