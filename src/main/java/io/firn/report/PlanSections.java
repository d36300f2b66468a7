package io.firn.report;

import static j2html.TagCreator.details;
import static j2html.TagCreator.div;
import static j2html.TagCreator.each;
import static j2html.TagCreator.h3;
import static j2html.TagCreator.p;
import static j2html.TagCreator.span;
import static j2html.TagCreator.summary;
import static j2html.TagCreator.table;
import static j2html.TagCreator.tbody;
import static j2html.TagCreator.td;
import static j2html.TagCreator.th;
import static j2html.TagCreator.thead;
import static j2html.TagCreator.tr;

import io.firn.report.Chart.Kind;
import io.firn.report.Chart.Series;
import io.firn.report.Chart.Span;
import j2html.tags.DomContent;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** The compiled step: memory from its first launch to its last, and where its time is predicted to go. */
final class PlanSections {
    private static final int LONGEST = 25;
    private static final List<String> PASSES = List.of("forward", "backward");
    private static final List<String> KINDS = List.of("weights", "gradients", "optimizer", "activations", "workspace");

    private PlanSections() {
    }

    static Optional<DomContent> memory(List<RunFiles> runs, Chart.Charts charts) {
        return Html.perRun("memory", "Memory over the step", "What the plan lays out, to the byte: weights and the optimizer's "
                + "state stay; activations, gradients and workspace come and go.", runs,
                r -> r.plan().map(p -> memory(p, charts)));
    }

    private static DomContent memory(PlanFile plan, Chart.Charts charts) {
        List<PlanFile.Launch> launches = plan.launches();
        List<Double> x = IntStream.range(0, launches.size()).mapToObj(i -> i + 1.0).toList();
        double lasting = plan.memory("weights") + plan.memory("optimizer");
        boolean known = launches.stream().anyMatch(l -> l.live() > 0);
        List<Series> series = new ArrayList<>();
        if (known) {
            series.add(new Series("in use", 0, Kind.STEPS, false, x,
                    launches.stream().map(l -> (lasting + l.live()) / 1e6).toList()));
        }
        series.add(new Series("weights and optimizer", 1, Kind.LINE, false, x, x.stream().map(i -> lasting / 1e6).toList()));
        series.add(new Series("allocated", 7, Kind.LINE, true, x, x.stream().map(i -> plan.memory("total") / 1e6).toList()));
        String words = "allocated %s MB".formatted(Text.megabytes(plan.memory("total")));
        List<List<String>> rows = new ArrayList<>(KINDS.stream().map(k -> List.of(k, Text.megabytes(plan.memory(k)))).toList());
        rows.add(List.of("total", Text.megabytes(plan.memory("total"))));
        return div(charts.place("Memory over the step", "MB", words, "launch", 1, null, series, phases(plan)),
                known ? div() : p("This run's plan.json does not say what is in use at each launch."),
                div(Html.rows(List.of("Memory", ">MB"), rows)).withClass("with-total small"));
    }

    /** Runs of launches with the same phase. What stands among those of a pass, such as a layer's update, counts to it. */
    private static List<Span> phases(PlanFile plan) {
        List<String> phases = plan.launches().stream().map(PlanFile.Launch::phase).toList();
        List<Span> spans = new ArrayList<>();
        for (int i = 0; i < phases.size(); i++) {
            int at = i;
            String phase = PASSES.stream().filter(p -> phases.indexOf(p) <= at && at <= phases.lastIndexOf(p)).findFirst()
                    .orElse(phases.get(i));
            if (!spans.isEmpty() && spans.getLast().name().equals(phase)) {
                spans.set(spans.size() - 1, new Span(phase, spans.getLast().from(), i + 1.5));
            } else {
                spans.add(new Span(phase, i + 0.5, i + 1.5));
            }
        }
        return spans;
    }

    static Optional<DomContent> launches(List<RunFiles> runs) {
        return Html.perRun("launches", "Launches by time", "Times are predicted by the planner from bytes, operations and the "
                + "device's peak rates; they were not measured in this run. Bytes and FLOPs are exact.", runs,
                r -> r.plan().map(p -> launches(p, r.curves().map(Curves::throughput).orElse(Double.NaN))));
    }

    /** @param imagesPerS as the run had it; NaN where that is not known */
    private static DomContent launches(PlanFile plan, double imagesPerS) {
        double total = plan.launches().stream().mapToDouble(PlanFile.Launch::ms).sum();
        var byOp = plan.launches().stream().collect(Collectors.groupingBy(l -> l.phase() + " " + l.op()));
        List<List<String>> ops = byOp.entrySet().stream()
                .sorted(Comparator.comparingDouble(e -> -e.getValue().stream().mapToDouble(PlanFile.Launch::ms).sum()))
                .map(e -> {
                    double ms = e.getValue().stream().mapToDouble(PlanFile.Launch::ms).sum();
                    return List.of(e.getKey(), Text.count(e.getValue().size()), Text.fixed(ms, 3), Text.percent(ms / total),
                            Text.megabytes(e.getValue().stream().mapToLong(PlanFile.Launch::bytes).sum()));
                }).toList();
        List<PlanFile.Launch> longest = plan.launches().stream()
                .sorted(Comparator.comparingDouble(l -> -l.ms())).limit(LONGEST).toList();
        double most = longest.getFirst().ms();
        return div(p(span("%s on %s, %s, batch %d, %d px: ".formatted(plan.model(), plan.target(), plan.precision(),
                                plan.batch(), plan.resolution())),
                        span("%s launches, %s ms predicted a step".formatted(Text.count(plan.launches().size()),
                                Text.fixed(total, 2))).withClass("figure"),
                        span(Double.isNaN(imagesPerS) ? ""
                                : "; in the run a step took %s ms (median, loading and logging included)".formatted(
                                        Text.fixed(1000 * plan.batch() / imagesPerS, 2)))),
                Html.scroll(table(
                        thead(tr(th("Launch").attr("scope", "col"), numbers("ms", "Share"),
                                each(List.of("Op", "Phase", "Kernel"), h -> th(h).attr("scope", "col")),
                                numbers("MB", "MFLOP"))),
                        tbody(each(longest, l -> tr(th(l.name()).attr("scope", "row"),
                                td(Text.fixed(l.ms(), 3)).withClass("number bar")
                                        .withStyle(String.format(Locale.ROOT, "--part:%.1f%%", 100 * l.ms() / most)),
                                td(Text.percent(l.ms() / total)).withClass("number"), td(l.op()), td(l.phase()),
                                td(l.kernel()),
                                td(Text.megabytes(l.bytes())).withClass("number"),
                                td(Text.fixed(l.flops() / 1e6, 1)).withClass("number")))))),
                plan.launches().size() <= LONGEST ? div() : p("The %d longest of %s.".formatted(LONGEST,
                        Text.count(plan.launches().size()))),
                details(summary("By op"), h3("Launches by op"),
                        Html.rows(List.of("Phase and op", ">Launches", ">ms", ">Share", ">MB"), ops)));
    }

    private static DomContent numbers(String... headings) {
        return each(List.of(headings), h -> th(h).attr("scope", "col").withClass("number"));
    }
}
