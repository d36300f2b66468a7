package io.firn.study;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * What came of a study of degradation.
 *
 * @param declared how the verdict is made, as said before the runs
 * @param runs     those that came to their end
 * @param failed   the others, each with its reason
 * @param tests    of the deepest against the shallowest nets; empty where too few runs came to their end
 * @param verdict  in a sentence
 */
public record DegradationResult(List<Integer> depths, List<String> declared, List<Run> runs, List<String> failed,
                                List<Test> tests, String verdict) {
    static final double ALPHA = 0.05;
    static final double CONFIDENCE = 0.95;

    /**
     * One run.
     *
     * @param trainError top-1 error on training images, from 0 to 1
     * @param valError   on validation images; null without
     * @param responses  standard deviation of each 3x3 layer's responses, in order
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Run(String name, String family, int depth, int seed, @JsonProperty("train_error") double trainError,
                      @JsonProperty("train_loss") double trainLoss, @JsonProperty("val_error") Double valError,
                      double seconds, List<Double> responses) {
    }

    /**
     * A declared test.
     *
     * @param increase of the training error, from 0 to 1
     * @param halfWidth of its two-sided 95 % confidence interval
     * @param p        of the one-sided test
     * @param holds    whether p is below 0.05
     */
    public record Test(String question, double increase, @JsonProperty("half_width") double halfWidth, double p,
                       boolean holds) {
        static Test of(String question, Welch w) {
            return new Test(question, w.difference(), w.halfWidth(CONFIDENCE), w.p(), w.p() < ALPHA);
        }
    }

    static DegradationResult of(List<Integer> depths, List<String> declared, List<Run> runs, List<String> failed) {
        int least = depths.getFirst();
        int most = depths.getLast();
        double[] shallowPlain = errors(runs, "plain", least);
        double[] deepPlain = errors(runs, "plain", most);
        double[] shallowResidual = errors(runs, "resnet", least);
        double[] deepResidual = errors(runs, "resnet", most);
        for (double[] sample : new double[][] {shallowPlain, deepPlain, shallowResidual, deepResidual}) {
            if (sample.length < 2) {
                return new DegradationResult(depths, declared, runs, failed, List.of(),
                        "Not decided: of a net that the test compares, fewer than 2 runs came to their end.");
            }
        }
        Test plain = Test.of("plain%d above plain%d".formatted(most, least), Welch.of(deepPlain, shallowPlain));
        Test residual = Test.of("resnet%d above resnet%d".formatted(most, least), Welch.of(deepResidual, shallowResidual));
        Test shortcuts = Test.of("plain nets' increase above residual nets'", Welch.of(
                new double[][] {deepPlain, shallowResidual}, new double[][] {shallowPlain, deepResidual}));
        return new DegradationResult(depths, declared, runs, failed, List.of(plain, residual, shortcuts),
                verdict(plain, residual, shortcuts));
    }

    private static String verdict(Test plain, Test residual, Test shortcuts) {
        List<String> said = new ArrayList<>();
        said.add(plain.holds && shortcuts.holds && !residual.holds ? "The paper's claim is seen:"
                : "The paper's claim is not seen as declared:");
        said.add("plain nets " + (plain.holds ? "degrade with depth" : "were not seen to degrade") + words(plain) + ",");
        said.add("residual nets " + (residual.holds ? "degrade too" : "were not seen to degrade") + words(residual) + ",");
        said.add("and shortcuts " + (shortcuts.holds ? "make the difference" : "were not seen to make a difference")
                + words(shortcuts) + ".");
        return String.join(" ", said);
    }

    private static String words(Test t) {
        return String.format(Locale.ROOT, " (%+.2f ± %.2f points of training error, p = %.2g)", 100 * t.increase,
                100 * t.halfWidth, t.p);
    }

    static double[] errors(List<Run> runs, String family, int depth) {
        return runs.stream().filter(r -> r.family().equals(family) && r.depth() == depth).mapToDouble(Run::trainError)
                .toArray();
    }
}
