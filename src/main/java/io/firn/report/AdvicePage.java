package io.firn.report;

import static j2html.TagCreator.div;
import static j2html.TagCreator.each;
import static j2html.TagCreator.li;
import static j2html.TagCreator.p;
import static j2html.TagCreator.ul;

import com.fasterxml.jackson.databind.JsonNode;
import io.firn.report.Chart.Kind;
import io.firn.report.Chart.Series;
import j2html.tags.DomContent;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.StreamSupport;

/** A page about what {@code firn advise} measured, made from what it prints with {@code --json}. */
public final class AdvicePage {
    private final JsonNode advice;
    private final Chart.Charts charts = new Chart.Charts();

    private AdvicePage(JsonNode advice) {
        this.advice = advice;
    }

    /** The page: self-contained, and forbidden by itself to fetch anything. */
    public static String of(JsonNode advice) {
        return new AdvicePage(advice).page();
    }

    private String page() {
        return Page.of("What to freeze", "%s on %s".formatted(text(advice, "model"), text(advice, "data")), List.of(
                new Page.Part("proposal", "Proposal", Optional.of(proposal())),
                new Page.Part("similarity", "Similarity", Optional.of(similarity())),
                new Page.Part("size", "Size", Optional.of(size())),
                new Page.Part("shift", "Shift", Optional.of(shift())),
                new Page.Part("price", "Price", Optional.of(price())),
                new Page.Part("confirmation", "Confirmation", confirmation())), charts, true);
    }

    private DomContent proposal() {
        List<JsonNode> first = list(advice.path("first"));
        return Html.part("proposal", "Proposal", first.isEmpty() ? div() : div(ul(each(first, f -> li(f.asText()))))
                        .withClass("notice"), p(advice.path("from_scratch").asBoolean() ? "from scratch" : "--freeze " + text(advice, "freeze"))
                        .withClass("figure"),
                p("%s: %s.".formatted(text(advice, "quadrant"), text(advice, "why"))));
    }

    private DomContent similarity() {
        List<JsonNode> taps = list(advice.path("similarity"));
        double chance = 100 * advice.path("chance").asDouble();
        List<Double> x = places(taps.size());
        List<Series> series = List.of(
                new Series("ridge regression", 0, Kind.LINE, false, x, percent(taps, "ridge")),
                new Series("nearest neighbours", 1, Kind.LINE, false, x, percent(taps, "neighbours")),
                new Series("ridge, random weights", 2, Kind.LINE, true, x, percent(taps, "random")),
                new Series("chance", 3, Kind.LINE, true, x, x.stream().map(_ -> chance).toList()));
        return Html.part("similarity", "Similarity", p("How well simple classifiers tell the labels from the features at "
                        + "each block's end, averaged over pixels; each image is judged by the others. Where the last tap is "
                        + "the best, the data are similar to what the weights were trained on.").withClass("about"),
                card("Accuracy by tap", "%", "tap, in forward order", 2, series),
                Html.rows(List.of(">Place", "Tap", ">Ridge", ">Neighbours", ">LogME", ">Random weights",
                        ">Standard errors above the last"), IntStream.range(0, taps.size()).mapToObj(i -> List.of(
                        String.valueOf(i + 1), text(taps.get(i), "tap"), percent(taps.get(i), "ridge"),
                        percent(taps.get(i), "neighbours"), fixed(taps.get(i), "log_me", 3), percent(taps.get(i), "random"),
                        fixed(taps.get(i), "errors_above_last", 1))).toList()));
    }

    private DomContent size() {
        List<JsonNode> points = list(advice.path("curve").path("points"));
        return Html.part("size", "Size", p("%s images, %s classes, %s images measured; how a head's accuracy grows with the "
                        .formatted(count("images"), count("classes"), count("sampled")) + "images it learns from.")
                        .withClass("about"),
                card("Accuracy of a head", "%", "images a class", 2, List.of(new Series("ridge regression", 0, Kind.LINE,
                        false, points.stream().map(n -> n.path("images_per_class").asDouble()).toList(),
                        percent(points, "accuracy")))));
    }

    private DomContent shift() {
        List<JsonNode> norms = list(advice.path("shift"));
        List<Double> x = places(norms.size());
        return Html.part("shift", "Shift", p("How far each batch norm's input lies from its running statistics, in squared "
                        + "deviations; below the noise floor nothing can be said. It knows nothing of labels.")
                        .withClass("about"),
                card("Shift by batch norm", "squared deviations", "batch norm, in forward order", 4, List.of(
                        new Series("shift", 0, Kind.LINE, false, x, values(norms, "d")),
                        new Series("noise floor", 1, Kind.LINE, true, x, values(norms, "noise_floor")))),
                Html.rows(List.of("Images prepared as", ">Shift at the first batch norm", "Options"), ways()));
    }

    private List<List<String>> ways() {
        List<List<String>> rows = new ArrayList<>();
        rows.add(List.of("the options have it", fixed(advice.path("input"), "used", 4), ""));
        list(advice.path("input").path("others")).forEach(w -> rows.add(List.of(text(w, "name"), fixed(w, "shift", 4),
                text(w, "options"))));
        return rows;
    }

    private DomContent price() {
        return Html.part("price", "Price", p("Of one step at batch %s on %s, and of an epoch whose images are ready in time."
                        .formatted(count("batch"), text(advice, "target"))).withClass("about"),
                Html.rows(List.of("Arm", "--freeze", ">Trained parameters", ">ms a step, predicted", ">measured",
                        ">Epoch, s", ">Memory, MB", ">Launches", ">Removed"), list(advice.path("arms")).stream()
                        .map(a -> List.of(text(a, "name"), text(a, "freeze"),
                                Text.count(a.path("trainable_parameters").asLong()), fixed(a, "predicted_ms", 2),
                                fixed(a, "measured_ms", 2), fixed(a, "epoch_s", 1), Text.megabytes(a.path("memory").asLong()),
                                Text.count(a.path("launches").asLong()), Text.count(a.path("removed").asLong()))).toList()));
    }

    private Optional<DomContent> confirmation() {
        List<JsonNode> trials = list(advice.path("confirmation").path("rounds"));
        return trials.isEmpty() ? Optional.empty() : Optional.of(Html.part("confirmation", "Confirmation",
                p("Short trainings, of which the better half went on.").withClass("about"),
                Html.rows(List.of(">Round", "Arm", "--freeze", ">Steps", ">Validation top-1"), trials.stream().map(t ->
                        List.of(text(t, "round"), text(t, "name"), text(t, "freeze"), text(t, "steps"),
                                percent(t, "val_top1"))).toList())));
    }

    private DomContent card(String title, String unit, String x, int digits, List<Series> series) {
        String words = String.join("; ", series.stream().filter(s -> !s.isEmpty()).map(s -> String.format(Locale.ROOT,
                "%s: from %s to %s", s.name(), Text.fixed(s.y().getFirst(), digits), Text.fixed(s.y().getLast(), digits)))
                .toList());
        return div(charts.place(title, unit, words, x, digits, null, series, null)).withClass("card");
    }

    private static List<Double> places(int n) {
        return IntStream.rangeClosed(1, n).mapToObj(i -> (double) i).toList();
    }

    private static List<Double> values(List<JsonNode> nodes, String key) {
        return nodes.stream().map(n -> JsonLines.number(n, key)).toList();
    }

    private static List<Double> percent(List<JsonNode> nodes, String key) {
        return nodes.stream().map(n -> 100 * JsonLines.number(n, key)).toList();
    }

    private static String percent(JsonNode n, String key) {
        return Text.percent(JsonLines.number(n, key));
    }

    private static String fixed(JsonNode n, String key, int digits) {
        return Text.fixed(JsonLines.number(n, key), digits);
    }

    private static String text(JsonNode n, String key) {
        return n.path(key).asText();
    }

    private String count(String key) {
        return Text.count(advice.path(key).asLong());
    }

    private static List<JsonNode> list(JsonNode array) {
        return StreamSupport.stream(array.spliterator(), false).toList();
    }
}
