import io.firn.Firn;
import io.firn.finetune.Chooser;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;

/** The tables of {@code results.md}, from the cells that {@link Regret} left: {@code RegretTable FOLDER}. */
public final class RegretTable {
    /** Borders that calibration chooses from: 0 and infinity mean always and never; between sizes it cannot tell. */
    private static final double[] ERRORS = {0, 0.5, 1, 1.5, 2, 3, 5, Double.POSITIVE_INFINITY};
    private static final double[] IMAGES_PER_CLASS = {0, 20, 70, 130, 1000, Double.POSITIVE_INFINITY};
    /** Of accuracy above random weights', which is not calibrated: what other borders would have come to. */
    private static final double[] GAINS = {Double.NEGATIVE_INFINITY, 0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3};
    /** Before any calibration. */
    private static final Chooser FIRST_GUESSES = new Chooser(1, 50, Chooser.DEFAULT.images(), Double.NEGATIVE_INFINITY);
    private static final int DRAWS = 10_000;
    private static final List<String> FIXED = List.of("always the head", "always the last stage", "always the half",
            "always all", "always from scratch");

    private final List<Cell> cells;
    private final List<Cell> otherRates;
    private final Map<String, Double> scratch = new HashMap<>();
    private final Model model;

    private RegretTable(List<Cell> all, List<Cell> otherRates) {
        this.otherRates = otherRates;
        all.stream().filter(c -> c.source().equals(Cell.SCRATCH))
                .forEach(c -> scratch.put(sample(c), c.accuracy().get("none")));
        cells = all.stream().filter(c -> !c.source().equals(Cell.SCRATCH) && scratch.containsKey(sample(c))).toList();
        model = Firn.model("resnet20", ModelOptions.defaults().withDepth(0.33).withClasses(5).withChannels(1)
                .withResolution(Pictures.SIDE));
    }

    public static void main(String[] args) throws IOException {
        Path folder = Path.of(args[0]);
        new RegretTable(Cell.read(folder, "cells"), Cell.read(folder, "rates")).print();
    }

    private static String sample(Cell c) {
        return "%s %d %d".formatted(c.target(), c.images(), c.seed());
    }

    private static String pair(Cell c) {
        return c.source() + " to " + c.target();
    }

    private Chooser.Choice chosen(Chooser by, Cell c) {
        return by.choose(model, c.taps(), c.curve(), c.images() * c.classes(), c.classes());
    }

    private double best(Cell c) {
        return Math.max(Collections.max(c.accuracy().values()), scratch.get(sample(c)));
    }

    private double regret(Cell c, String freeze) {
        return best(c) - c.accuracy().get(freeze);
    }

    private double regret(Cell c, Chooser.Choice choice) {
        return choice.fromScratch() ? best(c) - scratch.get(sample(c)) : regret(c, choice.freeze());
    }

    private double regret(Chooser by, List<Cell> of) {
        return of.stream().mapToDouble(c -> regret(c, chosen(by, c))).average().orElseThrow();
    }

    /** The borders with the least mean regret; of equal ones those nearest to the first guesses, which come first. */
    private Chooser calibrated(List<Cell> on) {
        Chooser best = FIRST_GUESSES;
        double least = regret(best, on);
        for (double errors : ERRORS) {
            for (double images : IMAGES_PER_CLASS) {
                Chooser c = new Chooser(errors, images, Long.MAX_VALUE, Chooser.DEFAULT.gain());
                double r = regret(c, on);
                if (r < least - 1e-9) {
                    least = r;
                    best = c;
                }
            }
        }
        return best;
    }

    /** What each cell comes to by borders from those cells alone that are none of its kind. */
    private ToDoubleFunction<Cell> leavingOut(Function<Cell, String> kind, Map<String, Chooser> borders) {
        cells.stream().map(kind).distinct().forEach(k -> borders.put(k,
                calibrated(cells.stream().filter(c -> !kind.apply(c).equals(k)).toList())));
        return c -> regret(c, chosen(borders.get(kind.apply(c)), c));
    }

    private void print() {
        Map<String, Chooser> byTarget = new TreeMap<>();
        Map<String, Chooser> byPair = new TreeMap<>();
        Map<String, ToDoubleFunction<Cell>> rules = new LinkedHashMap<>();
        rules.put("**the chooser**, borders without the target", leavingOut(Cell::target, byTarget));
        rules.put("the chooser, borders without the pair", leavingOut(RegretTable::pair, byPair));
        rules.put("the chooser, first guesses (1, 50)", c -> regret(c, chosen(FIRST_GUESSES, c)));
        rules.put(FIXED.get(0), c -> regret(c, "head"));
        rules.put(FIXED.get(1), c -> regret(c, "until:layer3"));
        rules.put(FIXED.get(2), c -> regret(c, "until:layer2"));
        rules.put(FIXED.get(3), c -> regret(c, "none"));
        rules.put(FIXED.get(4), c -> best(c) - scratch.get(sample(c)));
        System.out.printf("%d cells%n%n", cells.size());
        table("", rules, Map.of("all", _ -> true));
        table("By pair", rules, groups(RegretTable::pair));
        table("By images a class", rules, groups(c -> "%5d".formatted(c.images())));
        differences(rules);
        System.out.println("\n## Borders\n\n| calibrated without | standard errors | images a class | gain | from scratch |\n| --- | --- | --- | --- | --- |");
        byTarget.forEach((k, c) -> borders("target " + k, c, cells.stream().filter(x -> x.target().equals(k)).toList()));
        byPair.forEach((k, c) -> borders(k, c, cells.stream().filter(x -> pair(x).equals(k)).toList()));
        Chooser all = calibrated(cells);
        borders("nothing", all, cells);
        surface(all.gain());
        gains();
        if (!otherRates.isEmpty()) {
            rates();
        }
        accuracies();
    }

    /** A row: the borders, and in how many of the cells that they are held against they leave the weights out. */
    private void borders(String without, Chooser c, List<Cell> against) {
        System.out.printf("| %s | %s | %s | %s | %d of %d |%n", without, c.errors(), c.imagesPerClass(), c.gain(),
                against.stream().filter(x -> chosen(c, x).fromScratch()).count(), against.size());
    }

    private void gains() {
        System.out.println("\n## Mean regret by gain, on all cells\n\nWith the best of the other borders.\n\n"
                + "| gain | mean regret, points | from scratch | of these, fine-tuning is more than 2 points better in |\n"
                + "| --- | --- | --- | --- |");
        for (double gain : GAINS) {
            Chooser best = Arrays.stream(ERRORS).boxed().flatMap(e -> Arrays.stream(IMAGES_PER_CLASS)
                    .mapToObj(i -> new Chooser(e, i, Long.MAX_VALUE, gain)))
                    .min(Comparator.comparingDouble(c -> regret(c, cells))).orElseThrow();
            List<Cell> left = cells.stream().filter(c -> chosen(best, c).fromScratch()).toList();
            System.out.printf(Locale.ROOT, "| %s | %.2f | %d of %d | %d |%n", gain, 100 * regret(best, cells), left.size(),
                    cells.size(), left.stream().filter(c -> best(c) - scratch.get(sample(c)) > 0.02).count());
        }
    }

    private void surface(double gain) {
        System.out.println("\n## Mean regret by borders, on all cells\n\nWith a gain of " + gain + ".\n\n| standard errors | " + Arrays.stream(IMAGES_PER_CLASS)
                .mapToObj(i -> "from " + i).collect(Collectors.joining(" | ")) + " images a class |\n| --- |"
                + " --- |".repeat(IMAGES_PER_CLASS.length));
        for (double errors : ERRORS) {
            System.out.println("| " + errors + " | " + Arrays.stream(IMAGES_PER_CLASS).mapToObj(i -> String.format(Locale.ROOT,
                    "%.2f", 100 * regret(new Chooser(errors, i, Long.MAX_VALUE, gain), cells))).collect(Collectors.joining(" | "))
                    + " |");
        }
    }

    private Map<String, Predicate<Cell>> groups(Function<Cell, String> by) {
        Map<String, Predicate<Cell>> groups = new LinkedHashMap<>();
        cells.stream().map(by).distinct().sorted().forEach(k -> groups.put(k, c -> by.apply(c).equals(k)));
        return groups;
    }

    private void table(String title, Map<String, ToDoubleFunction<Cell>> rules, Map<String, Predicate<Cell>> groups) {
        if (!title.isEmpty()) {
            System.out.println("\n## " + title + "\n");
        }
        boolean whole = title.isEmpty();
        System.out.println("| rule | " + (whole ? "mean regret, points | 95 % interval | worst" : String.join(" | ",
                groups.keySet())) + " |\n| --- |" + " --- |".repeat(whole ? 3 : groups.size()));
        rules.forEach((name, rule) -> {
            StringBuilder row = new StringBuilder("| " + name + " |");
            groups.values().forEach(in -> row.append(" %s |".formatted(points(cells.stream().filter(in)
                    .mapToDouble(rule).average().orElseThrow()))));
            if (whole) {
                double[] i = interval(rule);
                row.append(" %s to %s | %s |".formatted(points(i[0]), points(i[1]),
                        points(cells.stream().mapToDouble(rule).max().orElseThrow())));
            }
            System.out.println(row);
        });
    }

    private void differences(Map<String, ToDoubleFunction<Cell>> rules) {
        System.out.println("\n## The chooser less the fixed rules\n\nBelow 0 the chooser is better.\n\n"
                + "| against | points | 95 % interval |\n| --- | --- | --- |");
        ToDoubleFunction<Cell> chooser = rules.values().iterator().next();
        for (String name : FIXED) {
            ToDoubleFunction<Cell> difference = c -> chooser.applyAsDouble(c) - rules.get(name).applyAsDouble(c);
            double[] i = interval(difference);
            System.out.printf("| %s | %s | %s to %s |%n", name, points(cells.stream().mapToDouble(difference).average()
                    .orElseThrow()), points(i[0]), points(i[1]));
        }
    }

    /** By drawing samples again (their cells together, since they share images and tests) within each target and size. */
    private double[] interval(ToDoubleFunction<Cell> value) {
        Map<String, Map<Integer, List<Cell>>> strata = cells.stream().collect(Collectors.groupingBy(
                c -> c.target() + " " + c.images(), TreeMap::new, Collectors.groupingBy(Cell::seed)));
        Random random = new Random(1);
        double[] means = new double[DRAWS];
        List<List<double[]>> values = new ArrayList<>();
        strata.values().forEach(s -> values.add(s.values().stream().map(l -> l.stream().mapToDouble(value).toArray()).toList()));
        for (int d = 0; d < DRAWS; d++) {
            double sum = 0;
            int count = 0;
            for (List<double[]> stratum : values) {
                for (int i = 0; i < stratum.size(); i++) {
                    double[] drawn = stratum.get(random.nextInt(stratum.size()));
                    sum += Arrays.stream(drawn).sum();
                    count += drawn.length;
                }
            }
            means[d] = sum / count;
        }
        Arrays.sort(means);
        return new double[] {means[DRAWS / 40], means[DRAWS - 1 - DRAWS / 40]};
    }

    /** Samples fine-tuned at other rates, beside the same ones at the usual rate and from scratch. */
    private void rates() {
        List<String> arms = List.of("until:layer2", "until:layer2 at 0.015", "until:layer2 at 0.05", "none", "none at 0.015",
                "none at 0.05");
        System.out.println("\n## At other rates\n\nTop-1 in %, mean over the samples that were fine-tuned at other rates.\n\n"
                + "| images a class | samples | " + String.join(" | ", arms) + " | from scratch (at 0.05) |\n| --- | --- |"
                + " --- |".repeat(arms.size() + 1));
        Map<Integer, List<Cell>> bySize = otherRates.stream().collect(Collectors.groupingBy(Cell::images, TreeMap::new,
                Collectors.toList()));
        bySize.forEach((images, in) -> System.out.printf("| %d | %d | %s | %s |%n", images, in.size(), arms.stream()
                .map(a -> points(in.stream().mapToDouble(c -> accuracy(c, a)).average().orElseThrow()))
                .collect(Collectors.joining(" | ")), points(in.stream().mapToDouble(c -> scratch.get(sample(c))).average()
                .orElseThrow())));
    }

    private double accuracy(Cell atOtherRates, String arm) {
        return arm.contains(" at ") ? atOtherRates.accuracy().get(arm) : cells.stream()
                .filter(c -> c.key().equals(atOtherRates.key())).findFirst().orElseThrow().accuracy().get(arm);
    }

    private void accuracies() {
        System.out.println("\n## Accuracies\n\nTop-1 in %, mean over seeds; the best in each row is bold.\n");
        List<String> arms = List.of("head", "until:layer3", "until:layer2", "none");
        System.out.println("| pair | images a class | steps | " + String.join(" | ", arms)
                + " | from scratch |\n| --- |" + " --- |".repeat(arms.size() + 3));
        Map<String, List<Cell>> rows = cells.stream().collect(Collectors.groupingBy(
                c -> "%s | %5d | %d".formatted(pair(c), c.images(), c.steps()), TreeMap::new, Collectors.toList()));
        rows.forEach((name, in) -> {
            List<Double> means = new ArrayList<>(arms.stream().map(a -> in.stream().mapToDouble(c -> c.accuracy().get(a))
                    .average().orElseThrow()).toList());
            means.add(in.stream().mapToDouble(c -> scratch.get(sample(c))).average().orElseThrow());
            double most = Collections.max(means);
            System.out.println("| " + name + " | " + means.stream().map(m -> m == most ? "**" + points(m) + "**" : points(m))
                    .collect(Collectors.joining(" | ")) + " |");
        });
    }

    private static String points(double share) {
        return String.format(Locale.ROOT, "%.1f", 100 * share);
    }
}
