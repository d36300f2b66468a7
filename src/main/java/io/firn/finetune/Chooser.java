package io.firn.finetune;

import io.firn.models.Model;
import java.util.List;
import java.util.Locale;

/**
 * From what was measured to what to freeze: the four quadrants of how large the target data are and how much they are like
 * the pre-training's; and none of them where the weights are hardly worth more than random ones.
 *
 * @param errors          an earlier tap must beat the last by so many standard errors for the data to count as different
 * @param imagesPerClass  from so many on a set counts as large
 * @param images          or from so many in total
 * @param gain            training from scratch is proposed only where the weights are sure to tell the classes at most so
 *                        much better than random ones, as a share of the images, and by no more than half of what random
 *                        ones leave to be told; negative infinity keeps the weights whatever they tell
 */
public record Chooser(double errors, double imagesPerClass, long images, double gain) {
    /**
     * Calibrated on 81 cells of small nets (benchmarks/finetune/results.md): the borders with the least regret. That training
     * the head alone loses from 8 images a class on, the fewest tried, is clear there; the border between similar and
     * different is not. The total is BiT's border of small tasks (arXiv 1912.11370), which decided nothing there. The gain
     * is not calibrated: those weights are worth little, and what is lost by leaving good ones out is larger than what is
     * won by leaving out bad ones, which training overcomes.
     */
    public static final Chooser DEFAULT = new Chooser(1.5, 8, 20_000, 0.05);

    /** Standard errors by which the gain may be larger than it looks: all but one in forty. */
    private static final double DOUBT = 2;

    /** The four cases, with what each proposes. */
    public enum Quadrant { SMALL_AND_SIMILAR, SMALL_AND_DIFFERENT, LARGE_AND_SIMILAR, LARGE_AND_DIFFERENT;
        String label() {
            return name().toLowerCase(Locale.ROOT).replace('_', ' ');
        }
    }

    /**
     * A proposal.
     *
     * @param freeze      the value of {@code --freeze}
     * @param fromScratch whether to leave the weights out
     * @param why         one sentence
     */
    public record Choice(Quadrant quadrant, String freeze, boolean fromScratch, String why) {
    }

    /**
     * Chooses. A pure function of what {@link Advice} holds, so that borders can be held against outcomes without
     * measuring again.
     *
     * @param imagesTotal to train on
     */
    public Choice choose(Model model, List<Similarity> taps, LearningCurve curve, int imagesTotal, int classes) {
        Similarity best = Similarity.best(taps);
        Similarity last = taps.getLast();
        boolean different = best != last && best.errorsAbove() > errors;
        double each = (double) imagesTotal / classes;
        boolean large = each >= imagesPerClass || imagesTotal >= images;
        Quadrant q = large ? different ? Quadrant.LARGE_AND_DIFFERENT : Quadrant.LARGE_AND_SIMILAR
                : different ? Quadrant.SMALL_AND_DIFFERENT : Quadrant.SMALL_AND_SIMILAR;
        double random = taps.stream().mapToDouble(Similarity::random).max().orElseThrow();
        double measured = curve.points().getLast().images() * classes;
        double doubt = DOUBT * Math.sqrt(variance(best.ridge(), measured) + variance(random, measured));
        double most = best.ridge() - random + doubt;
        boolean fromScratch = most < Math.min(gain, (1 - random) / 2);
        String freeze = fromScratch ? "none" : switch (q) {
            case SMALL_AND_SIMILAR -> "head";
            case SMALL_AND_DIFFERENT -> Cuts.after(model, best.tap());
            case LARGE_AND_SIMILAR -> Cuts.until(Cuts.half(model));
            case LARGE_AND_DIFFERENT -> "none";
        };
        String size = String.format(Locale.ROOT, "%.0f images a class (%s at %.0f), where the head's accuracy still gains %.1f points "
                + "by twice the images", each, large ? "large" : "small", imagesPerClass, 100 * curve.gain());
        String likeness = different ? String.format(Locale.ROOT, "%s tells the classes better than the last tap (%.1f %% and %.1f %%, "
                + "%.1f standard errors)", best.tap(), 100 * best.ridge(), 100 * last.ridge(), best.errorsAbove())
                : String.format(Locale.ROOT, "no earlier tap clearly beats the last one (%.1f %%)", 100 * last.ridge());
        String told = String.format(Locale.ROOT, "%.1f %% and %.1f %% of %.0f images", 100 * best.ridge(), 100 * random,
                measured);
        if (fromScratch) {
            return new Choice(q, freeze, true, String.format(Locale.ROOT, "%s; the weights tell the classes hardly better "
                    + "than random ones do (%s, so at most %.1f points): train from scratch; --freeze none starts from the "
                    + "weights all the same, and --budget tries both", size, told, 100 * Math.max(0, most)));
        }
        String unsure = most > 2 * doubt ? "" : "; that the weights are worth more than random ones does not show (%s): "
                .formatted(told) + "--budget tries training without them";
        return new Choice(q, freeze, false, "%s; %s: %s%s".formatted(size, likeness, proposal(q, freeze), unsure));
    }

    /** Squared standard error of a share of so many, which is not 0 where all are right (Agresti and Coull 1998). */
    private static double variance(double share, double count) {
        double centre = (share * count + 2) / (count + 4);
        return centre * (1 - centre) / (count + 4);
    }

    /** The same borders, with the weights whatever they tell. */
    Chooser keepingWeights() {
        return new Chooser(errors, imagesPerClass, images, Double.NEGATIVE_INFINITY);
    }

    private static String proposal(Quadrant q, String freeze) {
        return switch (q) {
            case SMALL_AND_SIMILAR -> "train the classifier alone";
            case SMALL_AND_DIFFERENT -> freeze.equals("head") ? "train the classifier alone"
                    : "keep what comes before " + freeze.substring(freeze.indexOf(':') + 1) + " and train the rest";
            case LARGE_AND_SIMILAR -> "start from a trained classifier, then train the late stages with rates that fall "
                    + "toward the input";
            case LARGE_AND_DIFFERENT -> "train everything, from the pre-trained weights";
        };
    }
}
