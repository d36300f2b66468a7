package io.firn.train;

import io.firn.backend.Session;
import io.firn.graph.State;
import io.firn.models.Model;
import io.firn.weights.Initializer;
import io.firn.weights.Matching;
import io.firn.weights.Tensor;
import io.firn.weights.WeightFile;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
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
            m.messages().forEach(say);
            return m;
        });
        return new InitialStates(s.model(1), s.options().run().seed(), matching.map(m -> (Map<String, Tensor>) m.tensors())
                .orElse(Map.of()), matching.map(Matching::fresh).orElse(Set.of()));
    }

    /** Random weights of another seed, whatever was given. */
    public InitialStates random(long otherSeed) {
        return new InitialStates(model, otherSeed, Map.of(), Set.of());
    }

    /** The classifier's states, where the file's has another number of classes and a fresh one replaces it. */
    public Set<String> fresh() {
        return fresh;
    }

    /** A state's numbers, in torchvision's layout. */
    public float[] of(State state) {
        Tensor t = given.get(state.name());
        return t != null ? t.data() : state.kind() == State.Kind.OPTIMIZER
                ? new float[Math.toIntExact(state.value().shape().elements())]
                : Initializer.initialize(model.graph(), seed, model.initialization()::sampler, state.name()::equals)
                        .get(state.name());
    }

    /** Fills all states of a session; one after the other, so that few are in Java's heap. */
    public void write(Session session) {
        session.program().state().states().values().forEach(s -> session.writeState(s.name(), of(s)));
    }
}
