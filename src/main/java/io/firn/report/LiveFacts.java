package io.firn.report;

import java.util.LinkedHashMap;
import java.util.SequencedMap;

/** Where a run that goes on stands, by the last steps that its files tell of. */
final class LiveFacts {
    private LiveFacts() {
    }

    /** Empty before the first step. */
    static SequencedMap<String, String> of(RunFiles run) {
        SequencedMap<String, String> facts = new LinkedHashMap<>();
        run.curves().filter(c -> !c.points().isEmpty()).ifPresent(c -> {
            Curves.Point now = c.points().getLast();
            long total = run.environment().isEmpty() ? 0 : run.environment().getLast().path("steps").asLong();
            facts.put("Step", Text.count(c.steps()) + (total == 0 ? "" : " of " + Text.count(total)));
            facts.put("Time left", Text.duration(total == 0 ? Double.NaN : (total - c.steps()) * secondsPerStep(run, c)));
            facts.put("Loss now", Text.fixed(now.loss(), 4));
            facts.put("Rate now", Text.fixed(now.lr(), 5));
            double speed = run.resources().map(Resources::speedNow).orElse(now.imagesPerS());
            facts.put("Images/s now", Text.fixed(speed, speed < 100 ? 1 : 0));
            facts.put("What limits", limit(run.resources().map(Resources::waitNow).orElse(Double.NaN)));
        });
        return facts;
    }

    private static String limit(double inputWait) {
        return Double.isFinite(inputWait) ? "%s (%s %% input wait)".formatted(InputWait.limit(inputWait),
                Text.fixed(100 * inputWait, 0)) : "–";
    }

    /** With validation as far as there was any, else by images a second. */
    private static double secondsPerStep(RunFiles run, Curves c) {
        if (!c.epochs().isEmpty()) {
            return c.epochs().stream().mapToDouble(Curves.Epoch::seconds).sum() / c.epochs().getLast().step();
        }
        return number(run, "batch") * number(run, "grad-accumulation") / c.throughput();
    }

    private static double number(RunFiles run, String option) {
        String value = run.config().get(option);
        return value == null ? Double.NaN : Double.parseDouble(value);
    }
}
