package io.firn.train;

import io.firn.error.UserError;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;

/** Every option of a training, resolved: what {@code config.toml} shows. */
public record TrainOptions(DataOptions data, VariationOptions variation, NetOptions net, Recipe recipe,
                           UpdateOptions update, RunOptions run, RankOptions together, TransferOptions transfer) {
    private static final List<Class<? extends Record>> GROUPS =
            List.of(DataOptions.class, VariationOptions.class, NetOptions.class, Recipe.class, UpdateOptions.class,
                    RunOptions.class, RankOptions.class, TransferOptions.class);
    /** Options whose {@code auto} leaves the choice to the run, which has made it. */
    private static final Set<String> CHOSEN = Set.of("batch", "precision");
    private static final Set<String> MAY_CHANGE =
            Set.of("epochs", "max-steps", "threads", "workers", "checkpoint-every", "device", "rank-timeout",
                    "patience", "feature-cache-folder");

    /** The options' long names, which are the keys of a configuration file. */
    public static Set<String> keys() {
        return Config.keys(GROUPS);
    }

    /**
     * The options that were asked for, with defaults for all others.
     *
     * @param asked the command line over the configuration file
     * @param facts what the data set and the model say
     * @throws UserError (usage) where a value makes no sense
     */
    public static TrainOptions resolve(Config asked, Defaults.Facts facts) {
        Config all = Defaults.complete(asked, facts);
        TrainOptions o = new TrainOptions(all.bind(DataOptions.class), all.bind(VariationOptions.class),
                all.bind(NetOptions.class), all.bind(Recipe.class), all.bind(UpdateOptions.class), all.bind(RunOptions.class),
                all.bind(RankOptions.class), all.bind(TransferOptions.class));
        if (o.together.ranks() > 1 && (!o.transfer.unfreeze().isEmpty() || o.transfer.patience() != null)) {
            throw UserError.usage("--unfreeze and --patience are for one rank: leave them out with --ranks %d",
                    o.together.ranks());
        }
        return o;
    }

    /** All options, in the order in which the groups list them. */
    public Config config() {
        return Config.from(data, variation, net, recipe, update, run, together, transfer);
    }

    /**
     * The options by which a command that is to go on with a run contradicts it: they decide what is learned, so that the
     * result would be that of neither. How long, how fast and where to compute may change.
     *
     * @param before the run's own {@code config.toml}
     * @param asked  the command line
     * @throws UserError (usage) that lists them
     */
    public static void refuseConflicts(Config before, Config asked) {
        List<String> conflicts = keys().stream()
                .filter(key -> asked.has(key) && !MAY_CHANGE.contains(key) && !asked.agrees(key, before)
                        && !(CHOSEN.contains(key) && asked.text(key).orElseThrow().equals("auto")))
                .map(key -> "--%s %s (%s)".formatted(key, asked.text(key).orElseThrow(),
                        before.text(key).map(v -> "was " + v).orElse("was not given"))).toList();
        if (!conflicts.isEmpty()) {
            throw UserError.usage("--resume goes on with the run's own options, but these differ: %s; leave them out, or "
                    + "choose another --output", String.join(", ", conflicts));
        }
    }

    /**
     * The options of a run that is gone on with: its own, save what may change.
     *
     * @throws UserError (usage) as {@link #refuseConflicts}
     */
    static Config resumed(Config before, Config asked) {
        refuseConflicts(before, asked);
        return asked.only(MAY_CHANGE).over(before);
    }

    /** Reads a configuration file; its keys are those of {@link #keys}. */
    public static Config read(Path file) {
        return Config.read(file, keys());
    }
}
