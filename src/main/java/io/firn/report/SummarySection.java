package io.firn.report;

import static j2html.TagCreator.dd;
import static j2html.TagCreator.div;
import static j2html.TagCreator.dl;
import static j2html.TagCreator.dt;
import static j2html.TagCreator.each;
import static j2html.TagCreator.h3;
import static j2html.TagCreator.li;
import static j2html.TagCreator.ul;

import j2html.tags.DomContent;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.LinkedHashMap;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;

/** What came of the runs, in a few numbers; by what their options differ; and what is missing. */
final class SummarySection {
    private SummarySection() {
    }

    /** @param live whether the run goes on, so that where it stands comes first */
    static DomContent of(List<RunFiles> runs, boolean live) {
        List<DomContent> parts = new ArrayList<>();
        if (live) {
            parts.add(tiles(LiveFacts.of(runs.getFirst())));
        }
        if (runs.size() == 1) {
            parts.add(tiles(facts(runs.getFirst())));
        } else {
            parts.add(compared(runs));
            differences(runs).ifPresent(d -> {
                parts.add(h3("Options that differ"));
                parts.add(d);
            });
        }
        for (RunFiles run : runs) {
            if (!run.remarks().isEmpty()) {
                parts.add(div(h3(runs.size() == 1 ? "What is missing" : "What is missing of " + run.name()),
                        ul(each(run.remarks(), r -> li(r)))).withClass("notice"));
            }
        }
        return Html.part("summary", "Summary", parts.toArray(DomContent[]::new));
    }

    private static DomContent tiles(SequencedMap<String, String> facts) {
        return dl(each(facts.entrySet(), f -> div(dt(f.getKey()), dd(f.getValue())))).withClass("tiles");
    }

    private static SequencedMap<String, String> facts(RunFiles run) {
        SequencedMap<String, String> facts = new LinkedHashMap<>();
        List<Curves.Epoch> epochs = run.curves().map(Curves::epochs).orElse(List.of());
        facts.put("Best top-1", Text.percent(best(epochs, Curves.Epoch::top1, true)));
        facts.put("Lowest validation loss", Text.fixed(best(epochs, Curves.Epoch::valLoss, false), 4));
        facts.put("Last training loss", Text.fixed(epochs.isEmpty() ? Double.NaN : epochs.getLast().trainLoss(), 4));
        facts.put("Steps", run.curves().map(c -> Text.count(c.steps())).orElse("–"));
        facts.put("Epochs", String.valueOf(epochs.size()));
        facts.put("Images/s, median", Text.fixed(run.curves().map(Curves::throughput).orElse(Double.NaN), 0));
        facts.put("Time", Text.duration(epochs.isEmpty() ? Double.NaN
                : epochs.stream().mapToDouble(Curves.Epoch::seconds).sum()));
        facts.put("Input wait", Text.percent(run.resources().map(Resources::inputWait).orElse(Double.NaN)));
        facts.put("Memory planned, MB", run.plan().map(p -> Text.megabytes(p.memory("total"))).orElse("–"));
        facts.put("Memory resident, MB", run.resources().map(r -> Text.megabytes(r.resident())).orElse("–"));
        facts.put("Parameters", run.plan().map(p -> Text.count(p.parameters())).orElse("–"));
        return facts;
    }

    private static double best(List<Curves.Epoch> epochs, ToDoubleFunction<Curves.Epoch> value, boolean largest) {
        var finite = epochs.stream().mapToDouble(value).filter(Double::isFinite);
        return (largest ? finite.max() : finite.min()).orElse(Double.NaN);
    }

    private static DomContent compared(List<RunFiles> runs) {
        List<String> headings = new ArrayList<>(List.of("Run", "Model"));
        facts(runs.getFirst()).keySet().forEach(f -> headings.add(">" + f));
        return Html.rows(headings, runs.stream().map(r -> {
            List<String> row = new ArrayList<>(List.of(r.name(), r.config().getOrDefault("model",
                    r.plan().map(PlanFile::model).orElse("–"))));
            row.addAll(facts(r).values());
            return row;
        }).toList());
    }

    /** A row for each option that not all runs have in common; empty where there is none. */
    private static Optional<DomContent> differences(List<RunFiles> runs) {
        Set<String> keys = new LinkedHashSet<>();
        runs.forEach(r -> keys.addAll(r.config().keySet()));
        keys.removeIf(k -> runs.stream().map(r -> String.valueOf(r.config().get(k))).distinct().count() == 1);
        if (keys.isEmpty()) {
            return Optional.empty();
        }
        List<String> headings = new ArrayList<>(List.of("Option"));
        IntStream.range(0, runs.size()).forEach(i -> headings.add(runs.get(i).name()));
        return Optional.of(Html.rows(headings, keys.stream().map(k -> {
            List<String> row = new ArrayList<>(List.of("--" + k));
            runs.forEach(r -> row.add(r.config().getOrDefault(k, "–")));
            return row;
        }).toList()));
    }
}
