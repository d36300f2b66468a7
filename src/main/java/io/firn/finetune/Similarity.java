package io.firn.finetune;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.ArrayList;
import java.util.List;
import java.util.SequencedMap;

/**
 * What features at one place of the network are worth for the target's labels. All accuracies lie between 0 and 1, and
 * judge each image by the others.
 *
 * @param tap         the block whose output is averaged over pixels, or the classifier, whose input it is
 * @param ridge       accuracy of ridge regression
 * @param neighbours  accuracy of the nearest neighbours
 * @param logMe       evidence of the labels; higher is better, comparable between taps alone
 * @param random      {@code ridge} on the same network with random weights
 * @param errorsAbove by how many standard errors of the difference {@code ridge} lies above the last tap's
 */
public record Similarity(String tap, double ridge, double neighbours, @JsonProperty("log_me") double logMe, double random,
                  @JsonProperty("errors_above_last") double errorsAbove) {

    /** Every tap, in forward order. */
    static List<Similarity> of(SequencedMap<String, float[][]> given, SequencedMap<String, float[][]> random, int[] labels,
                               int classes) {
        Probe.Outcome last = Probe.of(given.lastEntry().getValue(), labels, classes).ridge();
        List<Similarity> all = new ArrayList<>();
        given.forEach((tap, features) -> {
            Probe probe = Probe.of(features, labels, classes);
            Probe.Outcome ridge = probe.ridge();
            all.add(new Similarity(tap, ridge.accuracy(), probe.neighbours(), probe.logMe(),
                    Probe.of(random.get(tap), labels, classes).ridge().accuracy(), ridge.errorsAbove(last)));
        });
        return all;
    }

    /** The tap that the ridge likes best, and of equal ones the latest. */
    static Similarity best(List<Similarity> taps) {
        Similarity best = taps.getLast();
        for (Similarity t : taps.reversed()) {
            best = t.ridge > best.ridge ? t : best;
        }
        return best;
    }
}
