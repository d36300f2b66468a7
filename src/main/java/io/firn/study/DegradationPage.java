package io.firn.study;

import io.firn.report.Sheet;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;

/** The page of a study of degradation: verdict and declaration, errors by depth, losses by step, responses by layer. */
final class DegradationPage {
    private static final String PAPER = "He et al. 2015 (arXiv 1512.03385), figure 6: on CIFAR-10 plain nets of 20, 32, 44 and "
            + "56 layers end with training and test errors that rise with depth, and plain-110's error stays above 60 %; of "
            + "residual nets the deeper ones end lower, in training and in test: ResNet-20 8.75, -32 7.51, -44 7.17, -56 6.97, "
            + "-110 6.43 % test error after 64,000 steps of 128 images. Of plain nets the paper gives curves, no numbers.";

    private DegradationPage() {
    }

    static Sheet of(DegradationResult r, List<Job> jobs, Map<String, SequencedMap<Long, Double>> losses) {
        List<Sheet.Part> parts = new ArrayList<>();
        parts.add(verdict(r, jobs));
        parts.add(new Sheet.Part("Errors by depth", List.of(new Sheet.Plots(List.of(
                byDepth(r, "Training error", DegradationResult.Run::trainError),
                byDepth(r, "Validation error", e -> e.valError() == null ? Double.NaN : e.valError()))), errors(r))));
        parts.add(new Sheet.Part("Training losses", List.of(
                new Sheet.Words("Of each net's first seed, by step. " + PAPER),
                new Sheet.Plots(List.of(curves(r, jobs, losses, "plain"), curves(r, jobs, losses, "resnet"))))));
        parts.add(new Sheet.Part("Layers' responses", List.of(
                new Sheet.Words("Standard deviation of each 3x3 layer's outputs after batch norm, of each net's first seed, as "
                        + "its batch norms' parameters and statistics say. In the paper's figure 7 residual nets have smaller "
                        + "responses than plain ones, and deeper residual nets smaller ones still."),
                new Sheet.Plots(List.of(responses(r, "plain"), responses(r, "resnet"))))));
        return new Sheet("Study of degradation", "Do deeper nets train worse?", parts);
    }

    private static Sheet.Part verdict(DegradationResult r, List<Job> jobs) {
        List<Sheet.Block> blocks = new ArrayList<>();
        blocks.add(new Sheet.Words(r.verdict()));
        blocks.add(new Sheet.Notice("Declared before the runs", r.declared()));
        blocks.add(new Sheet.Table(List.of("Test", ">Increase, points", ">95 % interval, ±", ">p, one-sided", "Holds"),
                r.tests().stream().map(t -> List.of(t.question(), fixed(100 * t.increase(), 2), fixed(100 * t.halfWidth(), 2),
                        String.format(Locale.ROOT, "%.2g", t.p()), t.holds() ? "yes" : "no")).toList()));
        Job first = jobs.getFirst();
        SequencedMap<String, String> facts = new LinkedHashMap<>();
        facts.put("Runs", String.valueOf(jobs.size()));
        facts.put("Steps of each", String.valueOf(first.price().steps()));
        facts.put("Images in a step", String.valueOf(first.price().batch()));
        facts.put("Resolution", first.price().resolution() + " pixels");
        blocks.add(new Sheet.Facts(facts));
        if (!r.failed().isEmpty()) {
            blocks.add(new Sheet.Notice("Runs that failed", r.failed()));
        }
        return new Sheet.Part("Verdict", blocks);
    }

    private static Sheet.Plot byDepth(DegradationResult r, String title, ToDoubleFunction<DegradationResult.Run> error) {
        List<Sheet.Line> lines = new ArrayList<>();
        for (String family : List.of("plain", "resnet")) {
            int color = family.equals("plain") ? 1 : 0;
            List<Double> depths = r.depths().stream().map(Integer::doubleValue).toList();
            lines.add(new Sheet.Line(family + ", mean", color, false, false, depths, r.depths().stream().map(d -> 100 * r.runs()
                    .stream().filter(e -> e.family().equals(family) && e.depth() == d).mapToDouble(error).average()
                    .orElse(Double.NaN)).toList()));
            List<DegradationResult.Run> runs = r.runs().stream().filter(e -> e.family().equals(family)).toList();
            lines.add(new Sheet.Line(family + ", each run", color, false, true,
                    runs.stream().map(e -> (double) e.depth()).toList(), runs.stream().map(e -> 100 * error.applyAsDouble(e)).toList()));
        }
        return new Sheet.Plot(title, "%", "By depth, of plain and residual nets", "layers", 2, lines);
    }

    private static Sheet.Table errors(DegradationResult r) {
        return new Sheet.Table(List.of("Run", ">Training error, %", ">Training loss", ">Validation error, %", ">Seconds"),
                r.runs().stream().map(e -> List.of(e.name(), fixed(100 * e.trainError(), 2), fixed(e.trainLoss(), 4),
                        e.valError() == null ? "–" : fixed(100 * e.valError(), 2), fixed(e.seconds(), 0))).toList());
    }

    private static Sheet.Plot curves(DegradationResult r, List<Job> jobs, Map<String, SequencedMap<Long, Double>> losses,
                                     String family) {
        List<Sheet.Line> lines = new ArrayList<>();
        for (int i = 0; i < r.depths().size(); i++) {
            String name = family + r.depths().get(i) + "-seed0";
            SequencedMap<Long, Double> curve = losses.getOrDefault(name, new LinkedHashMap<>());
            lines.add(new Sheet.Line(family + r.depths().get(i), i, false, false,
                    curve.sequencedKeySet().stream().map(Long::doubleValue).toList(), List.copyOf(curve.values())));
        }
        return new Sheet.Plot(family.equals("plain") ? "Plain nets" : "Residual nets", "training loss, nats",
                "One line a depth", "step", 4, lines);
    }

    private static Sheet.Plot responses(DegradationResult r, String family) {
        List<Sheet.Line> lines = new ArrayList<>();
        for (int i = 0; i < r.depths().size(); i++) {
            int depth = r.depths().get(i);
            int color = i;
            r.runs().stream().filter(e -> e.family().equals(family) && e.depth() == depth && e.seed() == 0).findFirst()
                    .ifPresent(e -> lines.add(new Sheet.Line(family + depth, color, false, false,
                            IntStream.rangeClosed(1, e.responses().size()).mapToObj(l -> (double) l).toList(), e.responses())));
        }
        return new Sheet.Plot(family.equals("plain") ? "Plain nets" : "Residual nets", "standard deviation",
                "One line a depth", "3x3 layer", 3, lines);
    }

    private static String fixed(double v, int digits) {
        return String.format(Locale.ROOT, "%." + digits + "f", v);
    }
}
