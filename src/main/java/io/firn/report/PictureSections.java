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
    private static final int WORST = 24;
    private static final int PAIRS = 6;
    private static final int OF_A_PAIR = 6;
    private static final int EXAMPLES = 24;

    private PictureSections() {
    }

    static Optional<DomContent> of(List<RunFiles> runs) {
        return Html.perRun("images", "Images", "Validation images as the network sees them, with the class that it takes "
                + "them for and how sure it is.", runs,
                r -> r.validation().filter(v -> !v.pictures().isEmpty() && !v.predictions().isEmpty())
                        .map(PictureSections::pictures));
    }

    private static DomContent pictures(Validation v) {
        List<Validation.Prediction> shown = v.predictions().stream().filter(p -> v.pictures().containsKey(p.image())).toList();
        List<Validation.Prediction> worst = shown.stream().filter(p -> !p.isRight())
                .sorted(Comparator.comparingDouble(Validation.Prediction::ofLabel)).limit(WORST).toList();
        Confusion c = Confusion.of(v);
        List<Confusion.Pair> pairs = c.mistakes().stream().limit(PAIRS).toList();
        int apart = Math.max(1, v.predictions().size() / EXAMPLES);
        List<Validation.Prediction> examples = shown.stream().filter(p -> v.predictions().size() <= EXAMPLES
                || isExample(v, p)).limit(EXAMPLES).toList();
        return div(h3("Worst mistakes"),
                worst.isEmpty() ? p("None: every image is right.") : p("Where the network finds the label least probable; the worst come first. Below each: what it takes "
                        + "the image for, how sure it is, and the label with its probability."),
                tiles(v, worst.stream()),
                pairs.isEmpty() ? div() : div(h3("Most confused"), div(each(pairs, pair -> div(
                        h4("%s taken for %s: %s, %s of the label".formatted(v.name(pair.label()), v.name(pair.predicted()),
                                Text.count(c.count(pair.label(), pair.predicted())), Text.percent(
                                        c.count(pair.label(), pair.predicted()) / (double) c.support()[pair.label()]))),
                        tiles(v, shown.stream().filter(p -> p.label() == pair.label() && p.predicted() == pair.predicted())
                                .sorted(Comparator.comparingDouble(p -> -p.confidence())).limit(OF_A_PAIR))))).withClass("pairs")),
                h3("Examples"), p("One in " + Text.count(apart) + ", whether right or wrong."), tiles(v, examples.stream()));
    }

    /** Whether the image is one of those evenly spread over the set. */
    private static boolean isExample(Validation v, Validation.Prediction p) {
        int n = v.predictions().size();
        return Stream.iterate(0, i -> i < EXAMPLES, i -> i + 1)
                .anyMatch(i -> v.predictions().get((int) ((long) i * n / EXAMPLES)).image() == p.image());
    }

    private static DomContent tiles(Validation v, Stream<Validation.Prediction> predictions) {
        return div(each(predictions.map(p -> tile(v, p)).toArray(DomContent[]::new))).withClass("pictures");
    }

    private static DomContent tile(Validation v, Validation.Prediction p) {
        Validation.Picture picture = v.pictures().get(p.image());
        DomContent image = picture.uri().<DomContent>map(uri -> img().withSrc(uri).withAlt(v.name(p.label()))
                .attr("loading", "lazy").attr("width", 96).attr("height", 96)).orElse(div("no picture").withClass("none"));
        return figure(image, figcaption(span(v.name(p.predicted())).withClass(p.isRight() ? "yes" : "no"),
                span(Text.fixed(100 * p.confidence(), 1) + "\u00a0% sure"),
                span(p.isRight() ? "right" : "wrong: %s, %s\u00a0%%".formatted(v.name(p.label()), Text.fixed(100 * p.ofLabel(), 1)))
                        .withClass("label")))
                .withTitle(picture.file());
    }
}
