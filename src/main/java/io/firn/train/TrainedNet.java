package io.firn.train;

import io.firn.error.UserError;
import io.firn.graph.Convolution;
import io.firn.graph.Graph;
import io.firn.graph.Linear;
import io.firn.graph.Node;
import io.firn.graph.Op;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.models.Preset;
import io.firn.weights.Matching;
import io.firn.weights.Tensor;
import io.firn.weights.WeightFile;
import io.firn.weights.Weights;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.SequencedMap;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.IntStream;

/**
 * A network with its weights, as a file holds it.
 *
 * @param card    the model, classes and preprocessing
 * @param named   whether the names of the classes are known, and not just numbers
 * @param tensors by state name
 */
record TrainedNet(ModelCard card, boolean named, SequencedMap<String, Tensor> tensors) {

    /** What a file that says nothing about itself needs to be told, and what else may be asked for. */
    private record Asked(String model, Integer classes, Integer channels, Integer resolution, Double width, Double depth,
                         Double phi, String resize, List<Double> mean, List<Double> std) {
        private ModelOptions options() {
            return new ModelOptions(1, classes == null ? 0 : classes, channels == null ? 3 : channels,
                    resolution == null ? 0 : resolution, OptionalDouble.empty(), OptionalDouble.empty(), optional(width),
                    optional(depth), optional(phi));
        }

        private static OptionalDouble optional(Double value) {
            return value == null ? OptionalDouble.empty() : OptionalDouble.of(value);
        }

        /** The preprocessing with what was asked for in place of its own. */
        private Preprocessing over(Preprocessing own) {
            int r = resolution == null ? own.resolution() : resolution;
            // The same share is cut off at another resolution.
            int scaled = own.resize() == 0 ? r == own.resolution() ? 0 : r
                    : (int) Math.round((double) own.resize() * r / own.resolution());
            List<Double> means = mean == null ? own.mean() : mean;
            List<Double> stds = std == null ? own.std() : std;
            if (means.size() != own.channels() || stds.size() != own.channels()) {
                throw UserError.usage("--mean and --std take %d numbers each: the model has %d channels", own.channels(),
                        own.channels());
            }
            means.forEach(m -> Range.between("mean", m, 0, 1));
            stds.forEach(s -> Range.positive("std", s));
            return new Preprocessing(resize == null ? scaled : DataOptions.pixels(resize), r, own.channels(), means, stds);
        }
    }

    /**
     * Reads a weight file or a run folder's.
     *
     * @param asked {@code model} and its options, where the file does not say; {@code resolution}, {@code resize},
     *              {@code mean}, {@code std} to see images otherwise than the file says
     * @throws UserError (data) where it cannot be read or does not fit; (usage) where it does not say what model it is
     */
    static TrainedNet read(Path init, Config asked, Consumer<String> say) {
        Path file = WeightFiles.find(init);
        WeightFile read = WeightFile.read(file);
        read.messages().forEach(say);
        return of(read.weights(), file, asked, say);
    }

    /** As {@link #read}, of a file that was read. */
    static TrainedNet of(Weights weights, Path file, Config asked, Consumer<String> say) {
        Asked a = asked.bind(Asked.class);
        Optional<ModelCard> known = ModelCard.of(weights.metadata(), file);
        known.filter(c -> a.model != null && !a.model.equals(c.model())).ifPresent(c -> {
            throw UserError.usage("--model %s: %s holds a %s; leave --model out", a.model, file, c.model());
        });
        ModelCard card = known.orElseGet(() -> described(a, weights, file));
        if (a.resolution != null) {
            card = new ModelCard(card.model(), Models.build(card.model(), card.options().withResolution(a.resolution))
                    .options(), card.classes(), card.preprocessing());
        }
        card = new ModelCard(card.model(), card.options(), card.classes(), a.over(card.preprocessing()));
        Matching m = Matching.match(card.build(1).graph(), weights, file.toString());
        if (!m.fresh().isEmpty()) {
            throw UserError.data("%s: its classifier is not that of the %d classes that were asked for", file,
                    card.classes().size());
        }
        m.messages().forEach(say);
        return new TrainedNet(card, known.isPresent() && !card.classes().equals(numbers(card.options())), m.tensors());
    }

    /** The card of a file that says nothing about itself: the number of classes and channels are read off its tensors. */
    private static ModelCard described(Asked a, Weights weights, Path file) {
        if (a.model == null) {
            throw UserError.usage("%s does not say what model it holds: give --model", file);
        }
        Graph probe = Models.build(a.model, a.options()).graph();
        ModelOptions options = a.options();
        if (a.classes == null) {
            options = options.withClasses(dimension(weights, probe, Linear.Forward.class,
                    n -> probe.outputs().containsValue(n.output()), 0).orElse(0));
        }
        if (a.channels == null) {
            options = options.withChannels(dimension(weights, probe, Convolution.Forward.class,
                    n -> probe.inputs().contains(n.input(0)), 1).orElse(3) == 1 ? 1 : 3);
        }
        Model model = Models.build(a.model, options);
        Preset p = model.preset();
        return new ModelCard(a.model, model.options(), numbers(model.options()), new Preprocessing(p.resize(), p.crop(),
                model.options().channels(), p.mean(), p.std()));
    }

    /** Names of classes that are not known. */
    private static List<String> numbers(ModelOptions options) {
        return IntStream.range(0, options.classes()).mapToObj(String::valueOf).toList();
    }

    /** A dimension of the file's tensor for the weight of a certain node. */
    private static OptionalInt dimension(Weights weights, Graph graph, Class<? extends Op> op, Predicate<Node> which,
                                         int dim) {
        return graph.nodes().stream().filter(n -> op.isInstance(n.op()) && which.test(n)).map(n -> n.input(1).name())
                .map(weights.tensors()::get).filter(Objects::nonNull).map(Tensor::shape)
                .filter(s -> s.rank() > dim).mapToInt(s -> s.dim(dim)).findFirst();
    }
}
