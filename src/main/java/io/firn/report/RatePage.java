package io.firn.report;

import static j2html.TagCreator.div;
import static j2html.TagCreator.p;

import io.firn.report.Chart.Kind;
import io.firn.report.Chart.Series;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** One page about a search for a learning rate. */
public final class RatePage {
    private RatePage() {
    }

    /**
     * The page.
     *
     * @param model    its name
     * @param rates    that were tried, ascending
     * @param losses   at each
     * @param smoothed their moving average
     * @param proposed the rate to train with
     * @param minimum  the rate of the least smoothed loss
     */
    public static String html(String model, List<Double> rates, List<Double> losses, List<Double> smoothed, double proposed,
                              double minimum) {
        Chart.Charts charts = new Chart.Charts();
        List<Double> x = rates.stream().map(Math::log10).toList();
        double low = smoothed.stream().mapToDouble(v -> v).min().orElse(0);
        double at = smoothed.get(rates.indexOf(proposed));
        String words = String.format(Locale.ROOT, "The smoothed loss falls the fastest at a rate of %.2e and is least, %.3f, at "
                + "%.2e", proposed, low, minimum);
        var content = Html.part("rate", "Learning rate",
                p(words + ". The rate grows by a constant factor from step to step; what was trained is thrown away.")
                        .withClass("about"),
                div(charts.place("Loss", "cross-entropy, nats", words, "logarithm of the learning rate, base 10", 4, null,
                        List.of(new Series("loss", 1, Kind.LINE, false, x, losses),
                                new Series("smoothed", 0, Kind.LINE, false, x, smoothed),
                                new Series("proposed", 2, Kind.POINTS, false, List.of(Math.log10(proposed)), List.of(at))), null))
                        .withClass("card"));
        return Page.of("Learning rate", "Learning rate of " + model, List.of(new Page.Part("rate", "Learning rate",
                Optional.of(content))), charts, true);
    }
}
