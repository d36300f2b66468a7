package io.firn.finetune;

import com.fasterxml.jackson.annotation.JsonProperty;
import io.firn.error.UserError;
import io.firn.train.Config;
import io.firn.train.Devices;
import io.firn.train.Run;
import io.firn.train.RunSummary;
import io.firn.train.TrainRequest;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * Which arm short trainings prefer, by successive halving (Jamieson and Talwalkar 2016, arXiv 1502.07943): all train for a
 * while, the better half goes on exactly where it stood, until one is left. How many steps an arm gets follows from the
 * measured price of its step, so that every arm of a round has the same time.
 *
 * @param freeze      of the arm that was left
 * @param fromScratch whether that left the weights out
 * @param rounds in order
 */
public record Confirmation(double seconds, String freeze, @JsonProperty("from_scratch") boolean fromScratch,
                           List<Trial> rounds) {
    /** Share of a round's time that steps may take: the rest is planning, validation and files. */
    private static final double FOR_STEPS = 0.6;

    /**
     * One arm in one round.
     *
     * @param steps that it has made in all rounds so far
     */
    record Trial(int round, String name, String freeze, long steps, @JsonProperty("val_top1") double top1) {
    }

    /**
     * @param asked  the options of the trainings, with something to validate on
     * @param arms   those to compare, of different names
     * @param budget seconds for all of it
     */
    static Confirmation of(Config asked, List<Arm> arms, double budget, Devices devices, Consumer<String> say) {
        long start = System.nanoTime();
        // Their length is the budget's alone: what is over by another rule would have nothing to tell in the next round.
        Config open = asked.without("epochs", "patience", "unfreeze");
        try {
            Path folder = Files.createTempDirectory("firn-advise-");
            try {
                return new Confirmation.Race(open, budget, devices, say, folder, start).run(arms);
            } finally {
                try (Stream<Path> files = Files.walk(folder)) {
                    for (Path p : files.sorted(Comparator.reverseOrder()).toList()) {
                        Files.delete(p);
                    }
                }
            }
        } catch (IOException | UncheckedIOException e) {
            throw UserError.other("the short trainings need a temporary folder: %s", e).causedBy(e);
        }
    }

    private record Race(Config asked, double budget, Devices devices, Consumer<String> say, Path folder, long start) {

        Confirmation run(List<Arm> all) {
            List<Arm> left = new ArrayList<>(all);
            List<Trial> trials = new ArrayList<>();
            Map<String, Long> done = new LinkedHashMap<>();
            for (int round = 0; left.size() > 1; round++) {
                int rounds = 32 - Integer.numberOfLeadingZeros(left.size() - 1);
                double each = Math.max(0, budget - seconds()) / rounds / left.size() * FOR_STEPS;
                List<Trial> now = new ArrayList<>();
                for (Arm arm : left) {
                    double ms = arm.measuredMs() == null ? arm.predictedMs() : arm.measuredMs();
                    long steps = done.merge(arm.name(), Math.max(1, (long) (1e3 * each / ms)), Long::sum);
                    now.add(new Trial(round, arm.name(), arm.freeze(), steps, train(arm, steps, round > 0)));
                    say.accept("%s: top-1 %.1f %% after %d steps".formatted(arm.name(), 100 * now.getLast().top1, steps));
                }
                trials.addAll(now);
                List<String> best = now.stream().sorted(Comparator.comparingDouble(Trial::top1).reversed())
                        .limit((left.size() + 1) / 2).map(Trial::name).toList();
                left.removeIf(a -> !best.contains(a.name()));
            }
            return new Confirmation(seconds(), left.getFirst().freeze(), left.getFirst().isFromScratch(), trials);
        }

        private double seconds() {
            return (System.nanoTime() - start) / 1e9;
        }

        private double train(Arm arm, long steps, boolean resume) {
            Path run = folder.resolve(arm.name().replace(' ', '-'));
            Config options = resume ? Config.of(Map.of("max-steps", steps))
                    : FineTuning.withStageRates(Config.of(Map.of("freeze", arm.freeze(), "max-steps", steps,
                            "schedule", "constant")).over(arm.isFromScratch() ? asked.without("init") : asked));
            RunSummary s = Run.train(new TrainRequest(options, Optional.of(run), resume, false, devices,
                    new PrintStream(OutputStream.nullOutputStream())));
            return s.valTop1();
        }
    }
}
