package io.firn.weights;

import io.firn.graph.Graph;
import io.firn.graph.State;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.SplittableRandom;
import java.util.function.DoubleSupplier;
import java.util.function.Predicate;
import java.util.random.RandomGenerator;

/**
 * Fresh states. Each tensor's numbers depend on the seed and its name alone, so that another classifier or one frozen
 * part more changes no other tensor, and tensors can be made in parallel.
 */
public final class Initializer {

    /** Which distribution a state takes: the model family's rule. */
    @FunctionalInterface
    public interface Rule {
        /** A source of the state's elements, in order. */
        DoubleSupplier sampler(Graph graph, State state, RandomGenerator random);
    }

    private Initializer() {
    }

    /** All states of the graph by name, in its order. */
    public static SequencedMap<String, float[]> initialize(Graph graph, long seed, Rule rule) {
        return initialize(graph, seed, rule, name -> true);
    }

    /** The states whose name is wanted: the same numbers as when all are made. */
    public static SequencedMap<String, float[]> initialize(Graph graph, long seed, Rule rule, Predicate<String> wanted) {
        List<State> states = graph.states().stream().filter(s -> wanted.test(s.name())).toList();
        List<float[]> data = states.parallelStream().map(s -> fill(graph, s, seed, rule)).toList();
        SequencedMap<String, float[]> map = new LinkedHashMap<>();
        for (int i = 0; i < states.size(); i++) {
            map.put(states.get(i).name(), data.get(i));
        }
        return map;
    }

    private static float[] fill(Graph graph, State state, long seed, Rule rule) {
        // The seed is mixed first: else a seed that differs by the difference of two names' hashes swaps their numbers.
        var random = new SplittableRandom(new SplittableRandom(seed).nextLong() ^ fnv1a64(state.name()));
        DoubleSupplier next = rule.sampler(graph, state, random);
        float[] data = new float[Math.toIntExact(state.value().shape().elements())];
        for (int i = 0; i < data.length; i++) {
            data[i] = (float) next.getAsDouble();
        }
        return data;
    }

    /** Fowler, Noll and Vo's hash, variant 1a with 64 bits, of the text in UTF-8. */
    static long fnv1a64(String text) {
        long h = 0xcbf29ce484222325L;
        for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
            h = (h ^ b & 0xff) * 0x100000001b3L;
        }
        return h;
    }
}
