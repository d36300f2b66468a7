package io.firn.weights;

import static io.firn.weights.Malformed.quote;

import io.firn.error.UserError;
import io.firn.graph.Convolution;
import io.firn.graph.Graph;
import io.firn.graph.Linear;
import io.firn.graph.Node;
import io.firn.graph.Op;
import io.firn.graph.Shape;
import io.firn.graph.State;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * Weights of a file for the states of a graph ({@code --init}). Names and shapes must be the same but for what can be
 * put right without guessing, each of which is said.
 *
 * @param tensors  what the file gives, by state name
 * @param fresh    names of the classifier's states where its head is replaced, to be initialised anew
 * @param messages what was put right, a line each
 */
public record Matching(SequencedMap<String, Tensor> tensors, Set<String> fresh, List<String> messages) {
    private static final int MOST_LISTED = 10;

    /** As {@link #match(Graph, Weights, String)}, where no file is known. */
    public static Matching match(Graph graph, Weights weights) {
        return match(graph, weights, "the weights");
    }

    /**
     * Finds a tensor for each parameter and running statistic of the graph. A classifier of another number of classes
     * is left out as fresh; the first convolution of a net for gray images gets the sum over the file's channels;
     * {@code num_batches_tracked} is ignored.
     *
     * @param source names the weights in errors, such as their path
     * @throws UserError (data) that lists missing, unexpected and misshapen tensors, for any other difference
     */
    public static Matching match(Graph graph, Weights weights, String source) {
        List<String> messages = new ArrayList<>();
        SequencedMap<String, Tensor> given = withoutCounts(weights.tensors());
        Optional<Node> head = find(graph, Linear.Forward.class, n -> graph.outputs().containsValue(n.output()));
        Optional<Node> first = find(graph, Convolution.Forward.class, n -> graph.inputs().contains(n.input(0)));
        Set<String> fresh = head.map(n -> replaced(n, given, messages)).orElse(Set.of());
        SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
        List<String> wrong = new ArrayList<>();
        for (State s : graph.states()) {
            Tensor t = given.remove(s.name());
            Shape wanted = s.value().shape();
            if (s.kind() == State.Kind.OPTIMIZER || fresh.contains(s.name())) {
                continue;
            }
            if (t == null) {
                wrong.add("missing " + s.name());
            } else if (t.shape().equals(wanted)) {
                tensors.put(s.name(), t);
            } else if (isFirst(first, s) && isGray(wanted, t.shape())) {
                tensors.put(s.name(), new Tensor(wanted, () -> sumOverChannels(t.shape(), t.data())));
                messages.add("%s: summed over its %d channels for gray images".formatted(s.name(), t.shape().c()));
            } else {
                wrong.add("%s is %s where %s is wanted%s".formatted(s.name(), t.shape(), wanted,
                        isFirst(first, s) && isGray(t.shape(), wanted) ? " (--channels 1 makes the images gray)" : ""));
            }
        }
        given.keySet().forEach(name -> wrong.add("unexpected " + quote(name)));
        refuse(wrong, source);
        return new Matching(tensors, fresh, List.copyOf(messages));
    }

    private static SequencedMap<String, Tensor> withoutCounts(SequencedMap<String, Tensor> given) {
        SequencedMap<String, Tensor> map = new LinkedHashMap<>(given);
        map.keySet().removeIf(name -> name.endsWith(Weights.COUNT));
        return map;
    }

    private static Optional<Node> find(Graph graph, Class<? extends Op> op, Predicate<Node> which) {
        return graph.nodes().stream().filter(n -> op.isInstance(n.op()) && which.test(n)).findFirst();
    }

    /** Whether it is the weight of the convolution that reads the images. */
    private static boolean isFirst(Optional<Node> first, State s) {
        return first.isPresent() && first.get().input(1).equals(s.value());
    }

    /** The head's states, where the file has the same head for another number of classes; else none. */
    private static Set<String> replaced(Node head, SequencedMap<String, Tensor> given, List<String> messages) {
        String weight = head.input(1).name();
        String bias = head.input(2).name();
        int classes = head.input(2).shape().dim(0);
        int features = head.input(1).shape().dim(1);
        Tensor w = given.get(weight);
        Tensor b = given.get(bias);
        if (w == null || b == null || w.shape().rank() != 2 || w.shape().dim(1) != features
                || w.shape().dim(0) == classes || !b.shape().equals(Shape.of(w.shape().dim(0)))) {
            return Set.of();
        }
        messages.add("%s: a fresh classifier of %d classes replaces the file's, which has %d".formatted(head.name(),
                classes, w.shape().dim(0)));
        return Set.of(weight, bias);
    }

    private static boolean isGray(Shape wanted, Shape found) {
        return wanted.c() == 1 && found.equals(Shape.of(wanted.n(), 3, wanted.h(), wanted.w()));
    }

    /** [O,3,K,K] → [O,1,K,K]: what the convolution does to three equal channels. */
    private static float[] sumOverChannels(Shape shape, float[] data) {
        int area = shape.area();
        int channels = shape.c();
        float[] sum = new float[data.length / channels];
        for (int i = 0; i < data.length; i++) {
            sum[i / (area * channels) * area + i % area] += data[i];
        }
        return sum;
    }

    private static void refuse(List<String> wrong, String source) {
        if (wrong.isEmpty()) {
            return;
        }
        String listed = wrong.stream().limit(MOST_LISTED).collect(Collectors.joining("; "));
        throw UserError.data("%s: does not fit the model: %s%s", source, listed, wrong.size() <= MOST_LISTED ? ""
                : "; and %d more tensors".formatted(wrong.size() - MOST_LISTED));
    }
}
