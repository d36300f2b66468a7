package io.firn.report;

import static j2html.TagCreator.div;
import static j2html.TagCreator.each;
import static j2html.TagCreator.figcaption;
import static j2html.TagCreator.figure;
import static j2html.TagCreator.h3;
import static j2html.TagCreator.h4;
import static j2html.TagCreator.img;
import static j2html.TagCreator.p;
import static j2html.TagCreator.span;

import j2html.tags.DomContent;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** Validation images as the network sees them: the worst mistakes, the commonest ones, and examples from all over the set. */
final class PictureSections {
    private PictureSections() {
    }

    static Optional<DomContent> of(List<RunFiles> runs) {
        return Html.perRun("images", "Images", "Validation images as the network sees them. Below each: what it takes the image "
                        + "for, how sure it is, and for a mistake the label with its probability.", runs,
                r -> r.validation().filter(v -> !v.pictures().isEmpty() && !v.predictions().isEmpty())
                        .map(v -> div(worst(v), confused(v), examples(v))));
    }

    private static Stream<Validation.Prediction> pictured(Validation v) {
        return v.predictions().stream().filter(p -> v.pictures().containsKey(p.image()));
    }

    private static DomContent worst(Validation v) {
        List<Validation.Prediction> worst = pictured(v).filter(p -> !p.isRight())
                .sorted(Comparator.comparingDouble(Validation.Prediction::ofLabel)).limit(Shown.WORST).toList();
        return each(h3("Worst mistakes"), p(worst.isEmpty() ? "None: every image is right."
                : "Where the network finds the label least probable; the worst come first."), tiles(v, worst.stream()));
    }

    private static DomContent confused(Validation v) {
        Confusion c = Confusion.of(v);
        List<Confusion.Pair> pairs = c.mistakes().stream().limit(Shown.PAIRS).toList();
        return pairs.isEmpty() ? each() : each(h3("Most confused"),
                div(each(pairs, pair -> div(h4(title(v, c, pair)), tiles(v, pictured(v)
                        .filter(p -> p.label() == pair.label() && p.predicted() == pair.predicted())
                        .sorted(Comparator.comparingDouble(p -> -p.confidence())).limit(Shown.OF_A_PAIR))))).withClass("pairs"));
    }

    private static String title(Validation v, Confusion c, Confusion.Pair pair) {
        int n = c.count(pair.label(), pair.predicted());
        return "%s taken for %s: %s, %s of the label".formatted(v.name(pair.label()), v.name(pair.predicted()), Text.count(n),
                Text.percent(n / (double) c.support()[pair.label()]));
    }

    private static DomContent examples(Validation v) {
        return each(h3("Examples"), p("Spread evenly over the set, whether right or wrong."),
                tiles(v, Shown.examples(v.predictions().size()).mapToObj(v.predictions()::get)
                        .filter(p -> v.pictures().containsKey(p.image()))));
    }

    private static DomContent tiles(Validation v, Stream<Validation.Prediction> predictions) {
        return div(each(predictions.map(p -> tile(v, p)).toArray(DomContent[]::new))).withClass("pictures");
    }

    private static DomContent tile(Validation v, Validation.Prediction p) {
        Validation.Picture picture = v.pictures().get(p.image());
        DomContent image = picture.uri().<DomContent>map(uri -> img().withSrc(uri).withAlt(v.name(p.label()))
                .attr("loading", "lazy").attr("width", 96).attr("height", 96)).orElse(div("no picture").withClass("none"));
        String label = "wrong: %s, %s\u00a0%%".formatted(v.name(p.label()), Text.fixed(100 * p.ofLabel(), 1));
        return figure(image, figcaption(span(v.name(p.predicted())).withClass(p.isRight() ? "yes" : "no"),
                span(Text.fixed(100 * p.confidence(), 1) + "\u00a0% sure"),
                span(p.isRight() ? "right" : label).withClass("label"))).withTitle(picture.file());
    }
}
