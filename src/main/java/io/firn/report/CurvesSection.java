package io.firn.report;

import static j2html.TagCreator.details;
import static j2html.TagCreator.div;
import static j2html.TagCreator.each;
import static j2html.TagCreator.p;
import static j2html.TagCreator.summary;

import io.firn.report.Chart.Kind;
import io.firn.report.Chart.Series;
import j2html.tags.DomContent;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.ToDoubleFunction;

/** How the runs went: losses, accuracy, learning rate and throughput by step, all runs in the same charts. */
final class CurvesSection {
    private final List<RunFiles> runs;
    private final Chart.Charts charts;

    private CurvesSection(List<RunFiles> runs, Chart.Charts charts) {
        this.runs = runs;
        this.charts = charts;
    }

    /** Empty where no run has metrics. */
    static Optional<DomContent> of(List<RunFiles> runs, Chart.Charts charts) {
        return runs.stream().allMatch(r -> r.curves().isEmpty()) ? Optional.empty()
                : Optional.of(new CurvesSection(runs, charts).content());
    }

    private DomContent content() {
        List<Series> losses = new ArrayList<>();
        List<Series> accuracies = new ArrayList<>();
        List<Series> rates = new ArrayList<>();
        List<Series> speeds = new ArrayList<>();
        for (int i = 0; i < runs.size(); i++) {
            if (runs.get(i).curves().isPresent()) {
                Curves c = runs.get(i).curves().get();
                int other = runs.size() == 1 ? 1 : i;
                losses.add(new Series(name(i, "training"), i, Kind.LINE, false, steps(c), points(c, Curves.Point::loss),
                        points(c, Curves.Point::least), points(c, Curves.Point::most)));
                losses.add(epochs(c, name(i, "validation"), other, runs.size() > 1, Curves.Epoch::valLoss));
                accuracies.add(epochs(c, name(i, "top-1"), i, false, e -> 100 * e.top1()));
                accuracies.add(epochs(c, name(i, "top-5"), other, true, e -> 100 * e.top5()));
                rates.add(new Series(name(i, "learning rate"), i, Kind.LINE, false, steps(c),
                        points(c, Curves.Point::lr)));
                speeds.add(new Series(name(i, "images/s"), i, Kind.LINE, false, steps(c),
                        points(c, Curves.Point::imagesPerS)));
            }
        }
        return Html.part("curves", "Curves", p("By step. Where many steps share a point, the line is their mean and the "
                        + "band spans their least and most. Accuracy on training batches is not measured.").withClass("about"),
                div(chart("Loss", "cross-entropy, nats", 4, losses), chart("Validation accuracy", "%", 2, accuracies),
                        chart("Learning rate", "per step", 5, rates),
                        chart("Throughput", "training images per second", 0, speeds))
                        .withClass("grid"),
                each(runs, r -> r.curves().filter(c -> !c.epochs().isEmpty()).map(c -> (DomContent) details(
                        summary(runs.size() == 1 ? "Epochs as a table" : "Epochs of " + r.name() + " as a table"),
                        table(c))).orElse(div())));
    }

    private String name(int run, String what) {
        return runs.size() == 1 ? what : runs.get(run).name() + ", " + what;
    }

    private DomContent chart(String title, String unit, int digits, List<Series> series) {
        List<String> words = series.stream().filter(s -> !s.isEmpty()).map(s -> {
            List<Double> finite = s.y().stream().filter(Double::isFinite).toList();
            return String.format(Locale.ROOT, "%s: from %s to %s", s.name(), Text.fixed(finite.getFirst(), digits),
                    Text.fixed(finite.getLast(), digits));
        }).toList();
        return div(charts.place(title, unit, String.join("; ", words), "step", digits, null, series, null)).withClass("card");
    }

    private static List<Double> steps(Curves c) {
        return c.points().stream().map(p -> (double) p.step()).toList();
    }

    private static List<Double> points(Curves c, ToDoubleFunction<Curves.Point> value) {
        return c.points().stream().map(value::applyAsDouble).toList();
    }

    private static Series epochs(Curves c, String name, int color, boolean dashed, ToDoubleFunction<Curves.Epoch> value) {
        return new Series(name, color, Kind.POINTS, dashed, c.epochs().stream().map(e -> (double) e.step()).toList(),
                c.epochs().stream().map(value::applyAsDouble).toList());
    }

    private static DomContent table(Curves c) {
        return Html.rows(List.of(">Epoch", ">Last step", ">Training loss", ">Validation loss", ">Top-1", ">Top-5", ">Seconds"),
                c.epochs().stream().map(e -> List.of(String.valueOf(e.epoch()), Text.count(e.step()),
                        Text.fixed(e.trainLoss(), 4), Text.fixed(e.valLoss(), 4), Text.percent(e.top1()),
                        Text.percent(e.top5()), Text.fixed(e.seconds(), 1))).toList());
    }
}
