package io.firn.finetune;

import com.fasterxml.jackson.annotation.JsonProperty;
import io.firn.backend.Session;
import io.firn.data.DamagedImage;
import io.firn.data.Dataset;
import io.firn.data.Image;
import io.firn.data.Sampling;
import io.firn.finetune.Measurement.Spread;
import io.firn.graph.Graph;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Shape;
import io.firn.graph.State;
import io.firn.train.InitialStates;
import io.firn.train.Preprocessing;
import io.firn.train.Setup;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Whether images reach the network as its weights expect them: the shift at the first batch norm, as the options have it
 * and under the usual other ways to prepare images. Where another way fits far better, the options are most likely wrong,
 * and everything measured after that says so rather than anything about the data. After few steps of training it is the
 * running statistics that do not fit: they have not forgotten what they began with.
 *
 * @param used   the shift with the options as they are
 * @param others the other ways, by rising shift
 * @param steps  after how many steps running statistics would be as these are; 0 where they need no such explanation
 * @param told   what to tell the user first; empty where all is well
 */
public record InputCheck(double used, List<Way> others, int steps, List<String> told) {
    /** A way must fit better by this factor, and what is used must be off by so much, for it to be told. */
    private static final double FACTOR = 3;
    private static final double LEAST = 0.05;
    /** After more than these about a third or less is left of what running statistics began with, which moves little. */
    private static final int FEW_STEPS = 10;
    private static final int IMAGES = 256;

    /**
     * A way to prepare images.
     *
     * @param options what to give for it; empty where there is no option
     */
    record Way(String name, @JsonProperty("shift") double d, String options) {
    }

    private record Candidate(String name, List<Double> mean, List<Double> std, boolean reversed) {
        String options() {
            return reversed ? "" : "--mean %s --std %s".formatted(joined(mean), joined(std));
        }

        private static String joined(List<Double> values) {
            return String.join(",", values.stream().map(v -> String.format(Locale.ROOT, "%.4g", v)).toList());
        }
    }

    static InputCheck of(Setup setup, Dataset sample, InitialStates states) {
        Preprocessing p = setup.preprocessing();
        Graph model = setup.model(1).graph();
        Optional<Node> norm = model.nodes().stream().filter(n -> n.op() instanceof Normalization.BatchNorm).findFirst();
        List<String> told = new ArrayList<>();
        if (p.channels() == 3 && isGray(sample)) {
            told.add("the images are gray, and the network takes colour: they are repeated over three channels; with "
                    + "--channels 1 the first convolution is summed over them instead, which computes the same from less");
        }
        if (norm.isEmpty()) {
            return new InputCheck(Double.NaN, List.of(), 0, told);
        }
        List<Spread> seen = seen(setup, sample, states, norm.get(), new Candidate("", p.mean(), p.std(), false));
        double used = distance(setup, seen, norm.get(), states);
        List<Way> others = new ArrayList<>();
        for (Candidate c : candidates(p)) {
            if (c.reversed || !c.mean.equals(p.mean()) || !c.std.equals(p.std())) {
                others.add(new Way(c.name, distance(setup, seen(setup, sample, states, norm.get(), c),
                        norm.get(), states), c.options()));
            }
        }
        others.sort(Comparator.comparingDouble(Way::d));
        Shift.Unsettled unsettled = seen.isEmpty() ? new Shift.Unsettled(0, Double.NaN)
                : Shift.unsettled(model, norm.get(), seen, states);
        int steps = used > LEAST && unsettled.steps() <= FEW_STEPS && unsettled.d() * FACTOR < used
                && others.stream().noneMatch(w -> w.d < unsettled.d()) ? unsettled.steps() : 0;
        if (steps > 0) {
            told.addFirst(String.format(Locale.ROOT, "the weights' running statistics are those of about %d steps of training: "
                    + "they have not forgotten what they began with (shift %.3g at %s, %.3g without that), and what is measured "
                    + "with them says little; train the weights longer before", steps, used, norm.get().name(), unsettled.d()));
        } else if (suspects(used, others)) {
            Way w = others.getFirst();
            told.addFirst(String.format(Locale.ROOT, "the images are most likely prepared in another way than the weights "
                    + "were trained with: %s fits far better (shift %.3g at %s instead of %.3g)%s", w.name, w.d,
                    norm.get().name(), used, w.options.isEmpty() ? "; Firn reads red, green, blue: reverse the channels of "
                    + "the first convolution's weight" : "; give " + w.options));
        }
        return new InputCheck(used, others, steps, told);
    }

    /** Whether images are most likely prepared in another way than the weights expect, so that nothing else is to be trusted. */
    boolean suspects() {
        return steps == 0 && suspects(used, others);
    }

    private static boolean suspects(double used, List<Way> others) {
        return used > LEAST && !others.isEmpty() && others.getFirst().d * FACTOR < used;
    }

    private static List<Candidate> candidates(Preprocessing p) {
        List<Candidate> all = new ArrayList<>();
        boolean colour = p.channels() == 3;
        List<Double> mean = colour ? List.of(0.485, 0.456, 0.406) : List.of(0.449);
        List<Double> std = colour ? List.of(0.229, 0.224, 0.225) : List.of(0.226);
        all.add(new Candidate("ImageNet's mean and deviation", mean, std, false));
        all.add(new Candidate("pixels from 0 to 1", all(p, 0), all(p, 1), false));
        all.add(new Candidate("pixels from -1 to 1", all(p, 0.5), all(p, 0.5), false));
        all.add(new Candidate("pixels from 0 to 255", all(p, 0), all(p, 1 / 255.0), false));
        all.add(new Candidate("pixels from 0 to 255 less their mean", mean, all(p, 1 / 255.0), false));
        if (colour) {
            all.add(new Candidate("blue, green, red in this order", p.mean(), p.std(), true));
            all.add(new Candidate("blue, green, red in this order, from 0 to 255 less their mean", mean, all(p, 1 / 255.0), true));
        }
        return all;
    }

    private static List<Double> all(Preprocessing p, double value) {
        return Collections.nCopies(p.channels(), value);
    }

    private static double distance(Setup setup, List<Spread> seen, Node norm, InitialStates states) {
        return seen.isEmpty() ? Double.NaN : Shift.distance(setup.model(1).graph(), norm.name(), seen, states);
    }

    /** What the first batch norm sees; empty where too few images were read. */
    private static List<Spread> seen(Setup setup, Dataset sample, InitialStates states, Node norm, Candidate c) {
        Preprocessing own = setup.preprocessing();
        Preprocessing p = new Preprocessing(own.resize(), own.resolution(), own.channels(), c.mean, c.std);
        Dataset few = Sampling.perClass(sample, Math.max(1, IMAGES / sample.classes().size()), IMAGES, 0);
        Consumer<Session> filled = c.reversed ? s -> reverseChannels(setup, s, norm, states) : _ -> { };
        Measurement m = Measurement.of(setup, few, p, states, List.of(), Measurement.Look.FIRST_NORM, filled, _ -> { });
        return m.norms().getOrDefault(norm.name(), List.of());
    }

    /** Lets the first convolution see blue where red is, and red where blue is. */
    private static void reverseChannels(Setup setup, Session session, Node norm, InitialStates states) {
        Graph model = setup.model(1).graph();
        State weight = model.state(model.producers().get(norm.input(0)).input(1).name());
        Shape s = weight.value().shape();
        float[] own = states.of(weight);
        float[] reversed = new float[own.length];
        for (int i = 0; i < own.length; i++) {
            int channel = i / s.area() % s.c();
            reversed[i] = own[i + (s.c() - 1 - 2 * channel) * s.area()];
        }
        session.writeState(weight.name(), reversed);
    }

    /** Whether the first images have nothing but grays. */
    private static boolean isGray(Dataset sample) {
        int few = Math.min(32, sample.size());
        for (int i = 0; i < few; i++) {
            try {
                Image image = sample.image(i);
                byte[] b = image.pixels();
                for (int p = 0; image.channels() == 3 && p < b.length; p += 3) {
                    if (b[p] != b[p + 1] || b[p] != b[p + 2]) {
                        return false;
                    }
                }
            } catch (DamagedImage e) {
                // Told of where all images are read.
            }
        }
        return true;
    }
}
