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
 * @param gain            the weights must tell the classes better than random ones by so much, as a share of the images, or
 *                        by half of what random ones leave to be told, lest training from scratch is proposed
 */
public record Chooser(double errors, double imagesPerClass, long images, double gain) {
    /**
     * Calibrated on 81 cells of small nets (benchmarks/finetune/results.md): the borders with the least regret. That training
     * the head alone loses from 8 images a class on, the fewest tried, is clear there, and so is the gain; the border
     * between similar and different is not. The total is BiT's border of small tasks (arXiv 1912.11370), which decided
     * nothing there.
     */
    public static final Chooser DEFAULT = new Chooser(1.5, 8, 20_000, 0.1);

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
        boolean fromScratch = best.ridge() - random < Math.min(gain, (1 - random) / 2);
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
        String scratch = String.format(Locale.ROOT, "the weights tell the classes hardly better than random ones do (%.1f %% and "
                + "%.1f %%): train from scratch; --freeze none starts from the weights all the same", 100 * best.ridge(),
                100 * random);
        return new Choice(q, freeze, fromScratch, fromScratch ? "%s; %s".formatted(size, scratch)
                : "%s; %s: %s".formatted(size, likeness, proposal(q, freeze)));
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
