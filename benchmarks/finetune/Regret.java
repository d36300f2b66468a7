import io.firn.Firn;
import io.firn.finetune.Advice;
import io.firn.finetune.Advisor;
import io.firn.finetune.FineTuning;
import io.firn.finetune.Shift;
import io.firn.train.Classifier;
import io.firn.train.Config;
import io.firn.train.Devices;
import io.firn.train.TrainRequest;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * How good the choice of {@code firn advise} is: small nets learn a part of the classes of real data and are fine-tuned on
 * others in every way. Writes a line for each cell, and goes on with what is there. {@code regret.sh} runs it;
 * {@code README.md} has the protocol. With {@code --rates}, small samples are fine-tuned at other rates instead.
 */
public final class Regret {
    private static final List<Integer> FIRST = List.of(0, 1, 2, 3, 4);
    private static final List<Integer> THEN = List.of(5, 6, 7, 8, 9);
    private static final int[] SIZES = {8, 40, Integer.MAX_VALUE};
    /** What all that is fine-tuned at other rates than by default is compared by. */
    private static final List<String> AT_OTHER_RATES = List.of("none", "until:layer2");
    private static final int BATCH = 32;
    private static final int TEST_PER_CLASS = 70;
    private static final int CLOTHES_TESTED = 400;
    private static final int PRETRAIN_STEPS = 800;
    private static final int SEEDS = 3;
    private static final int EPOCHS = 20;
    private static final int LEAST_STEPS = 100;
    private static final int MOST_STEPS = 400;

    private final Path output;
    private final int part;
    private final int parts;
    private final int seeds;
    private final List<Double> rates;
    private final Map<String, Pictures.Split> first = new LinkedHashMap<>();
    private final Map<String, Pictures.Split> then = new LinkedHashMap<>();

    private Regret(Map<String, String> o) throws IOException {
        output = Path.of(o.get("output"));
        String[] share = o.getOrDefault("part", "0/1").split("/");
        part = Integer.parseInt(share[0]);
        parts = Integer.parseInt(share[1]);
        seeds = Integer.parseInt(o.getOrDefault("seeds", String.valueOf(SEEDS)));
        rates = o.containsKey("rates") ? Arrays.stream(o.get("rates").split(",")).map(Double::valueOf).toList() : List.of();
        Pictures.Split clothes = Pictures.clothes(Path.of(o.get("clothes")));
        Pictures.Split digits = Pictures.digits(Path.of(o.get("digits")), TEST_PER_CLASS);
        Path drawings = Path.of(o.get("drawings"));
        first.put("clothes", clothes.classes(FIRST));
        first.put("digits", digits.classes(FIRST));
        first.put("drawings", Pictures.drawings(drawings, Drawings.FIRST, TEST_PER_CLASS));
        then.put("clothes", clothes.classes(THEN));
        then.put("digits", digits.classes(THEN));
        then.put("drawings", Pictures.drawings(drawings, Drawings.THEN, TEST_PER_CLASS));
    }

    /** {@code --clothes FOLDER --digits FILE --drawings FOLDER --output FOLDER [--part I/N] [--seeds N] [--rates R,…]} */
    public static void main(String[] args) throws IOException {
        Map<String, String> o = new HashMap<>();
        for (int i = 0; i + 1 < args.length; i += 2) {
            o.put(args[i].substring(2), args[i + 1]);
        }
        Files.createDirectories(Path.of(o.get("output")));
        new Regret(o).run();
    }

    private void run() throws IOException {
        for (String source : first.keySet()) {
            preTrained(source);
        }
        int index = 0;
        // Seeds last, so that what is there at any time is whole for some of them.
        for (int seed = 0; seed < seeds; seed++) {
            for (String target : then.keySet()) {
                for (int size : rates.isEmpty() ? SIZES : Arrays.copyOf(SIZES, SIZES.length - 1)) {
                    // A sample's cells are one process's: they share its files and what is trained from scratch.
                    if (index++ % parts == part) {
                        cells(target, Math.min(size, then.get(target).train().smallestClass()), seed);
                    }
                }
            }
        }
    }

    private static Map<String, Object> options(Path data) {
        return new HashMap<>(Map.of("model", "resnet20", "depth", 0.33, "threads", 1, "augment", "none", "data", data.toString(),
                "precision", "fp32"));
    }

    /** A source's weights; the first process that needs them trains them. */
    private Path preTrained(String source) throws IOException {
        Path run = output.resolve("first-" + source);
        try (var channel = FileChannel.open(output.resolve(source + ".lock"), StandardOpenOption.CREATE,
                StandardOpenOption.WRITE);
             var _ = channel.lock()) {
            if (!Files.exists(run.resolve("tested"))) {
                delete(run);
                Map<String, Object> options = options(first.get(source).train().write(output.resolve("data-first-" + source)));
                options.putAll(Map.of("batch", 2 * BATCH, "max-steps", PRETRAIN_STEPS));
                Firn.train(options, run);
                Path test = first.get(source).test().write(output.resolve("test-first-" + source));
                String top1 = "%.4f".formatted(tested(run, test));
                System.err.printf("%s: %d images, top-1 %s%n", source, first.get(source).train().labels().size(), top1);
                Files.writeString(run.resolve("tested"), top1);
            }
        }
        return run;
    }

    private static double tested(Path run, Path data) {
        try (Classifier net = Firn.load(run, Map.of("threads", 1))) {
            return net.evaluate(data.toString()).top1();
        }
    }

    private void cells(String target, int images, int seed) throws IOException {
        Set<String> done = Cell.read(output, files()).stream().map(Cell::key).collect(Collectors.toSet());
        Path folder = output.resolve("part-" + part);
        Pictures sample = then.get(target).train().perClass(images, 1 + seed);
        Path data = sample.write(folder.resolve("data"));
        int most = target.equals("clothes") ? CLOTHES_TESTED : Integer.MAX_VALUE;
        Path test = then.get(target).test().perClass(most, 0).write(folder.resolve("test"));
        int epoch = sample.labels().size() / BATCH;
        int steps = Math.clamp(EPOCHS * epoch, LEAST_STEPS, MOST_STEPS);
        Map<String, Object> options = options(data);
        // As when the cells were made: fine-tuning has another default since.
        options.putAll(Map.of("batch", BATCH, "max-steps", steps, "seed", seed, "lr-decay-by-stage", 1.0));
        if (rates.isEmpty() && !done.contains(Cell.key(Cell.SCRATCH, target, images, seed))) {
            Path run = folder.resolve("run");
            delete(run);
            Firn.train(options, run);
            write(new Cell(Cell.SCRATCH, target, images, seed, THEN.size(), steps, null, null, null, null,
                    Map.of("none", tested(run, test))));
        }
        for (String source : first.keySet()) {
            if (!done.contains(Cell.key(source, target, images, seed))) {
                write(tuned(source, target, images, seed, steps, options, test, folder.resolve("run")));
            }
        }
    }

    private Cell tuned(String source, String target, int images, int seed, int steps, Map<String, Object> net, Path test,
                       Path run) throws IOException {
        Map<String, Object> options = new HashMap<>(net);
        options.put("init", preTrained(source).toString());
        Map<String, Double> accuracy = new LinkedHashMap<>();
        for (double rate : rates) {
            options.put("lr", rate);
            for (String freeze : AT_OTHER_RATES) {
                accuracy.put(freeze + " at " + rate, tuned(options, freeze, test, run));
            }
        }
        if (!rates.isEmpty()) {
            return new Cell(source, target, images, seed, THEN.size(), steps, null, null, null, null, accuracy);
        }
        Advice a = Firn.advise(Config.of(options), Devices::local, new Advisor.How(OptionalDouble.empty(), false, "cpu"),
                _ -> { });
        Set<String> arms = new LinkedHashSet<>();
        a.arms().forEach(arm -> arms.add(arm.freeze()));
        for (String freeze : arms) {
            accuracy.put(freeze, tuned(options, freeze, test, run));
        }
        double most = a.shift().stream().mapToDouble(Shift::d).max().orElseThrow();
        double stem = a.shift().getFirst().d();
        return new Cell(source, target, images, seed, THEN.size(), steps, new double[] {stem, most}, a.similarity(), a.curve(),
                a.freeze(), accuracy);
    }

    private static double tuned(Map<String, Object> options, String freeze, Path test, Path run) throws IOException {
        options.put("freeze", freeze);
        delete(run);
        Firn.finetune(TrainRequest.of(options, run), new FineTuning.Options(OptionalDouble.empty(), null, FineTuning.Head.PROBE));
        return tested(run, test);
    }

    private String files() {
        return rates.isEmpty() ? "cells" : "rates";
    }

    private void write(Cell cell) throws IOException {
        Files.writeString(output.resolve(files() + "-" + part + ".jsonl"), cell.line(), StandardOpenOption.CREATE,
                StandardOpenOption.APPEND);
        System.err.println(cell.key() + ": " + cell.accuracy() + ", advised " + cell.advised());
    }

    private static void delete(Path folder) throws IOException {
        if (Files.exists(folder)) {
            try (var files = Files.walk(folder)) {
                for (Path p : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(p);
                }
            }
        }
    }
}
