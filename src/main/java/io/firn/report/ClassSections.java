package io.firn.report;

import static j2html.TagCreator.caption;
import static j2html.TagCreator.div;
import static j2html.TagCreator.each;
import static j2html.TagCreator.p;
import static j2html.TagCreator.span;
import static j2html.TagCreator.table;
import static j2html.TagCreator.tbody;
import static j2html.TagCreator.td;
import static j2html.TagCreator.th;
import static j2html.TagCreator.thead;
import static j2html.TagCreator.tr;

import io.firn.report.Chart.Kind;
import io.firn.report.Chart.Series;
import j2html.tags.DomContent;
import j2html.tags.specialized.TdTag;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;

/** What the best network makes of the validation images, class by class, and how far its confidence can be trusted. */
final class ClassSections {
    /** A larger matrix cannot be read. */
    private static final int MATRIX = 20;
    private static final int ROWS = 1000;

    private ClassSections() {
    }

    static Optional<DomContent> confusion(List<RunFiles> runs) {
        return Html.perRun("confusion", "Confusion matrix", "Validation images by their label (rows) and by the class "
                        + "that the best network takes them for (columns). A cell's shade is its share of the row.", runs,
                r -> judged(r).map(v -> matrix(v, Confusion.of(v))));
    }

    private static Optional<Validation> judged(RunFiles run) {
        return run.validation().filter(v -> !v.predictions().isEmpty());
    }

    private static DomContent matrix(Validation v, Confusion c) {
        List<Integer> shown = c.mostMistaken(MATRIX);
        String about = "%s images, weights of epoch %d%s.".formatted(Text.count(v.predictions().size()), v.epoch(),
                shown.size() == c.classes() ? "" : "; the %d of %s classes with most mistakes".formatted(shown.size(),
                        Text.count(c.classes())));
        return Html.scroll(table(caption(about),
                thead(tr(th("label \\ predicted").withClass("corner"), each(shown, j -> th(span(v.name(j)))
                        .attr("scope", "col").withTitle(v.name(j)).withClass("upright")))),
                tbody(each(shown, i -> tr(th(v.name(i)).attr("scope", "row"), each(shown, j -> cell(v, c, i, j))))))
                .withClass("matrix"));
    }

    private static TdTag cell(Validation v, Confusion c, int label, int predicted) {
        int n = c.count(label, predicted);
        double share = c.support()[label] == 0 ? 0 : n / (double) c.support()[label];
        TdTag cell = td(n == 0 ? "·" : Text.count(n)).withClass(label == predicted ? "right" : "wrong")
                .withTitle("%s taken for %s: %d, %s of the label".formatted(v.name(label), v.name(predicted), n,
                        Text.percent(share)));
        // Mistakes are few: a square root makes them visible.
        return n == 0 ? cell : cell.withStyle(String.format(Locale.ROOT, "--share:%.3f",
                label == predicted ? share : Math.sqrt(share)));
    }

    static Optional<DomContent> classes(List<RunFiles> runs) {
        return Html.perRun("classes", "Classes", "Precision: share of what is taken for the class that is of it. Recall: "
                + "share of the class that is found. F1: their harmonic mean. Support: images of the class.", runs,
                r -> judged(r).map(ClassSections::perClass));
    }

    private static DomContent perClass(Validation v) {
        Confusion c = Confusion.of(v);
        boolean few = c.classes() <= MATRIX;
        List<List<String>> rows = new ArrayList<>(IntStream.range(0, c.classes()).boxed()
                .sorted(few ? Comparator.naturalOrder() : Comparator.comparingDouble(c::f1))
                .limit(ROWS).map(i -> List.of(v.name(i), share(c.precision(i)), share(c.recall(i)), share(c.f1(i)),
                        Text.count(c.support()[i]))).toList());
        rows.add(List.of("mean", share(mean(c, c::precision)), share(mean(c, c::recall)), share(mean(c, c::f1)),
                Text.count(v.predictions().size())));
        return div(few ? div() : p("The worst by F1 come first%s.".formatted(c.classes() <= ROWS ? ""
                        : "; %s of %s classes are shown".formatted(Text.count(ROWS), Text.count(c.classes())))),
                Html.rows(List.of("Class", ">Precision", ">Recall", ">F1", ">Support"), rows)).withClass("with-total");
    }

    private static String share(double value) {
        return Text.fixed(value, 3);
    }

    private static double mean(Confusion c, IntToDoubleFunction value) {
        return IntStream.range(0, c.classes()).mapToDouble(value).filter(Double::isFinite).average().orElse(Double.NaN);
    }

    static Optional<DomContent> calibration(List<RunFiles> runs, Chart.Charts charts) {
        return Html.perRun("calibration", "Reliability", "Of the images that the network is so sure of, how many are "
                + "right? On the dashed line confidence is honest; below it, it is too high. ECE is the mean distance, over "
                + "images.", runs, r -> judged(r).map(v -> diagram(v, charts)));
    }

    private static DomContent diagram(Validation v, Chart.Charts charts) {
        Calibration c = Calibration.of(v.predictions());
        List<Double> middles = c.bins().stream().map(b -> 50 * (b.from() + b.to())).toList();
        List<Series> series = List.of(
                new Series("share of images", 7, Kind.BARS, false, middles,
                        c.bins().stream().map(b -> 100 * b.share()).toList()),
                new Series("honest", 7, Kind.LINE, true, List.of(0.0, 100.0), List.of(0.0, 100.0)),
                new Series("accuracy", 0, Kind.POINTS, false, c.bins().stream().filter(b -> b.share() > 0)
                        .map(b -> 100 * b.confidence()).toList(),
                        c.bins().stream().filter(b -> b.share() > 0).map(b -> 100 * b.accuracy()).toList()));
        String error = "expected calibration error " + Text.percent(c.error());
        return div(charts.place("Reliability", "%, in " + Calibration.BINS + " bins", error, "confidence, %", 1,
                        new double[] {0, 100}, series, null),
                p(span("ECE " + Text.percent(c.error())).withClass("figure"))).withClass("narrow");
    }
}
