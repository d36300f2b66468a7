package io.firn.finetune;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.firn.report.AdvicePage;
import java.util.List;

/**
 * What was measured of a data set with given weights, and what to freeze by it: what {@code firn advise --json} prints.
 *
 * @param images       to train on
 * @param sampled      of them measured
 * @param first        what to know before all else, such as images that are prepared wrongly; mostly empty
 * @param input        how images reach the network
 * @param shift        at every batch norm, in forward order
 * @param chance       accuracy of guessing the most frequent class
 * @param similarity   at every tap, in forward order; the last is the classifier's input
 * @param curve        of a head on the last tap
 * @param quadrant     of size and similarity
 * @param freeze       the proposed value of {@code --freeze}
 * @param fromScratch  whether to train without the weights
 * @param why          in a sentence
 * @param target       the device that the alternatives are priced for
 * @param arms         the alternatives with their prices
 * @param confirmation what short trainings said; null where none were asked for
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Advice(String model, String init, String data, String precision, int batch, int images, int classes,
                     int sampled, List<String> first, InputCheck input, List<Shift> shift, double chance,
                     List<Similarity> similarity, LearningCurve curve, String quadrant, String freeze,
                     @JsonProperty("from_scratch") boolean fromScratch, String why, String target, List<Arm> arms,
                     Confirmation confirmation) {
    public Advice {
        first = List.copyOf(first);
        shift = List.copyOf(shift);
        similarity = List.copyOf(similarity);
        arms = List.copyOf(arms);
    }

    /** A line about what freezing comes to, for a run's log. */
    public String line() {
        return "%s (%s): %s".formatted(fromScratch ? "from scratch" : "--freeze " + freeze, quadrant, why);
    }

    /** A page of one's own with tables and the taps' curves, which needs no network. */
    public String html() {
        return AdvicePage.of(new ObjectMapper().valueToTree(this));
    }
}
