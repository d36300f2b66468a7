package io.firn.finetune;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/** An advice in words and rows, as tables show it; the first row has the headings, ">" before those of numbers. */
public final class AdviceRows {
    private AdviceRows() {
    }

    /** What was measured. */
    public static String about(Advice a) {
        return String.format(Locale.ROOT, "%s from %s on %s: %,d images, %d classes, %,d measured; chance %.1f %%", a.model(),
                a.init(), a.data(), a.images(), a.classes(), a.sampled(), 100 * a.chance());
    }

    /** A row a tap. */
    public static List<List<String>> similarity(Advice a) {
        List<List<String>> rows = new ArrayList<>();
        rows.add(List.of("tap", ">ridge %", ">neighbours %", ">LogME", ">random weights %", ">std. errors above last"));
        for (Similarity s : a.similarity()) {
            rows.add(List.of(s.tap(), percent(s.ridge()), percent(s.neighbours()), number("%.3f", s.logMe()),
                    percent(s.random()), number("%.1f", s.errorsAbove())));
        }
        return rows;
    }

    /** The head's learning curve. */
    public static String curve(Advice a) {
        return "head's accuracy by images a class: " + String.join(", ", a.curve().points().stream()
                .map(p -> String.format(Locale.ROOT, "%.1f %% at %.0f", 100 * p.accuracy(), p.images())).toList());
    }

    /** The shift in a line. */
    public static String shift(Advice a) {
        if (a.shift().isEmpty()) {
            return "shift: not measured, for want of a whole batch";
        }
        Shift first = a.shift().getFirst();
        Shift most = a.shift().stream().max(Comparator.comparingDouble(s -> s.d() - s.floor())).orElseThrow();
        return String.format(Locale.ROOT, "shift: %.3g at %s (noise floor %.2g), the most %.3g at %s (%.2g)", first.d(),
                first.norm(), first.floor(), most.d(), most.norm(), most.floor());
    }

    /** Where prices come from. */
    public static String priced(Advice a) {
        return "priced on %s%s".formatted(a.target(), a.arms().stream().allMatch(arm -> arm.measuredMs() == null)
                ? " by the plans alone" : "");
    }

    /** A row for each alternative. */
    public static List<List<String>> arms(Advice a) {
        List<List<String>> rows = new ArrayList<>();
        rows.add(List.of("", "arm", "--freeze", ">trained", ">predicted ms", ">measured ms", ">epoch s", ">MB", ">launches",
                ">removed"));
        for (Arm arm : a.arms()) {
            boolean proposed = arm.freeze().equals(a.freeze()) && arm.isFromScratch() == a.fromScratch();
            rows.add(List.of(proposed ? "*" : "", arm.name(), arm.freeze(), number("%,d", arm.trained()),
                    number("%.2f", arm.predictedMs()), arm.measuredMs() == null ? "" : number("%.2f", arm.measuredMs()),
                    number("%.1f", arm.epochS()), number("%,.0f", arm.memory() / 1e6), number("%,d", (long) arm.launches()),
                    number("%,d", (long) arm.removed())));
        }
        return rows;
    }

    /** A row for each short training. */
    public static List<List<String>> trials(Advice a) {
        List<List<String>> rows = new ArrayList<>();
        rows.add(List.of(">round", "arm", ">steps", ">top-1 %"));
        a.confirmation().rounds().forEach(t -> rows.add(List.of(String.valueOf(t.round() + 1), t.name(),
                number("%,d", t.steps()), percent(t.top1()))));
        return rows;
    }

    private static String percent(double share) {
        return number("%.1f", 100 * share);
    }

    private static String number(String format, Object value) {
        return String.format(Locale.ROOT, format, value);
    }
}
