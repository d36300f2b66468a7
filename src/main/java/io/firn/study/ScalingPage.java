package io.firn.study;

import io.firn.report.Sheet;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.SequencedMap;
import java.util.function.ToDoubleFunction;

/** The page of a study of scaling: verdict and declaration, accuracy against cost, memory and speed, and all nets. */
final class ScalingPage {
    private static final String PAPER = "Tan and Le 2019 (arXiv 1905.11946), table 7: from EfficientNet-B0 (76.3 % top-1 on "
            + "ImageNet) to 1.8–1.9 billion multiply-adds, depth alone reaches 79.0, width alone 78.9, resolution alone 79.1 and "
            + "all together 81.1 %; the coefficients found for B0 are α 1.2, β 1.1, γ 1.15.";
    private static final List<String> WAYS = List.of("baseline", "compound", "depth", "width", "resolution", "grid");

    private ScalingPage() {
    }

    static Sheet of(ScalingResult r) {
        List<Sheet.Block> verdict = new ArrayList<>();
        verdict.add(new Sheet.Words(r.verdict()));
        SequencedMap<String, String> facts = new LinkedHashMap<>();
        facts.put("Baseline", r.baseline());
        facts.put("Depth, α", String.valueOf(r.coefficients().alpha()));
        facts.put("Width, β", String.valueOf(r.coefficients().beta()));
        facts.put("Resolution, γ", String.valueOf(r.coefficients().gamma()));
        verdict.add(new Sheet.Facts(facts));
        verdict.add(new Sheet.Notice("Declared before the runs", r.declared()));
        verdict.add(new Sheet.Words(PAPER));
        if (!r.failed().isEmpty()) {
            verdict.add(new Sheet.Notice("Runs that failed", r.failed()));
        }
        verdict.add(new Sheet.Notice("Configurations for firn train --config", r.configs()));
        return new Sheet("Study of scaling", "Which dimension should grow?", List.of(new Sheet.Part("Verdict", verdict),
                new Sheet.Part("Accuracy and what it costs", List.of(new Sheet.Words("Mean top-1 over the seeds. Images per second "
                        + "are those of the runs beside each other, and of whatever else the machine did."), new Sheet.Plots(List.of(
                        plot(r, "By multiply-adds", "millions an image", p -> p.multiplyAdds() / 1e6),
                        plot(r, "By memory", "MB while training", p -> p.bytes() / 1e6),
                        plot(r, "By speed", "images per second trained on", ScalingResult.Point::imagesPerS))))),
                new Sheet.Part("Nets", List.of(table(r)))));
    }

    private static Sheet.Plot plot(ScalingResult r, String title, String x, ToDoubleFunction<ScalingResult.Point> cost) {
        List<Sheet.Line> lines = new ArrayList<>();
        for (String way : WAYS) {
            List<ScalingResult.Point> points = r.points().stream().filter(p -> p.way().equals(way))
                    .sorted((a, b) -> Double.compare(cost.applyAsDouble(a), cost.applyAsDouble(b))).toList();
            lines.add(new Sheet.Line(way, WAYS.indexOf(way), false, true, points.stream().map(cost::applyAsDouble).toList(),
                    points.stream().map(p -> 100 * p.mean()).toList()));
        }
        return new Sheet.Plot(title, "top-1, %", "A point a net", x, 2, lines);
    }

    private static Sheet.Table table(ScalingResult r) {
        return new Sheet.Table(List.of("Net", ">Depth", ">Width", ">Resolution", ">Parameters", ">Multiply-adds", ">Cost",
                ">Memory, MB", ">Steps", ">Images/s", ">Top-1, %", "Each seed"), r.points().stream().map(p -> List.of(p.name(),
                fixed(p.depth(), 2), fixed(p.width(), 2), String.valueOf(p.resolution()), "%,d".formatted(p.parameters()),
                "%,d".formatted(p.multiplyAdds()), fixed(p.cost(), 2), fixed(p.bytes() / 1e6, 1), String.valueOf(p.steps()),
                fixed(p.imagesPerS(), 0), fixed(100 * p.mean(), 2),
                String.join(", ", p.top1().stream().map(t -> fixed(100 * t, 2)).toList()))).toList());
    }

    private static String fixed(double v, int digits) {
        return String.format(Locale.ROOT, "%,." + digits + "f", v);
    }
}
