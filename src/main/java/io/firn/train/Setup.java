package io.firn.train;

import io.firn.backend.Backend;
import io.firn.backend.HostMemory;
import io.firn.backend.Tuned;
import io.firn.data.Augment;
import io.firn.data.Dataset;
import io.firn.data.Datasets;
import io.firn.data.Erasing;
import io.firn.data.Loader;
import io.firn.data.LoaderOptions;
import io.firn.data.Normalization;
import io.firn.data.Size;
import io.firn.data.Splits;
import io.firn.error.UserError;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.models.Preset;
import io.firn.models.Scaling;
import io.firn.plan.PlanRequest;
import io.firn.plan.Precision;
import io.firn.plan.TuningTable;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.Consumer;

/**
 * What a training needs before anything is planned: options as resolved, data, and the device. The device is closed by
 * whoever made it.
 *
 * @param classes names by label: the data set's, and numbers where {@code --classes} asks for more
 * @param rank    this process's number among those that train together
 * @param phaseEpochs of the phase of a run that this is for; 0 outside of a run, where the whole network is always one plan
 */
public record Setup(TrainOptions options, Dataset train, Optional<Dataset> validation, List<String> classes,
                    Backend backend, int rank, int phaseEpochs) {

    /** Of an epoch, however large the batch that is chosen. */
    private static final int LEAST_STEPS = 10;
    /** Beyond it, more memory makes no step faster, and learning suffers. */
    private static final int LARGEST_AUTO = 1024;
    private static final int MULTIPLE = 8;

    /** What has to be known of the options before the others can be resolved. */
    private record Asked(String model, String data, String val, Double valSplit, Long seed, Integer channels,
                         Integer resolution, Double width, Double depth, Double phi, String init,
                         Integer gradAccumulation) {
        private static OptionalDouble optional(Double value) {
            return value == null ? OptionalDouble.empty() : OptionalDouble.of(value);
        }

        /** The network as far as it decides how images are prepared. */
        Model model(int channels, int resolution) {
            return Models.build(model, new ModelOptions(1, 0, channels, resolution, OptionalDouble.empty(),
                    OptionalDouble.empty(), optional(width), optional(depth), optional(phi)));
        }
    }

    /**
     * Opens the data and resolves the options.
     *
     * @param asked the command line over the configuration file
     * @throws UserError for options and data sets that make no sense
     */
    public static Setup of(Config asked, Devices devices, Consumer<String> say) {
        return of(asked, devices, 0, say);
    }

    /** The same for one of several ranks. */
    static Setup of(Config asked, Devices devices, int rank, Consumer<String> say) {
        return resolved(Progressive.settle(NamedRecipes.under(named(asked))), devices, rank, say);
    }

    /** With the model that the weights to start from say they are of, where none is given. */
    private static Config named(Config asked) {
        return asked.has("model") ? asked : asked.text("init").map(init -> ModelCard.complete(asked, init)).orElse(asked);
    }

    private static Setup resolved(Config asked, Devices devices, int rank, Consumer<String> say) {
        Asked a = asked.bind(Asked.class);
        if (a.model == null) {
            throw NetOptions.missing();
        }
        if (a.data == null) {
            throw DataOptions.missing();
        }
        // A wrong name or size is told before a data set is fetched.
        a.model(a.channels == null ? 3 : a.channels, a.resolution == null ? 0 : a.resolution);
        Splits splits = divide(a, Datasets.open(a.data, say), say);
        Backend backend = devices.open(asked.text("device").orElse("auto").toLowerCase(Locale.ROOT), threads(asked));
        try {
            return of(asked, a, splits, backend, rank, say);
        } catch (RuntimeException | Error e) {
            backend.close();
            throw e;
        }
    }

    private static Setup of(Config asked, Asked a, Splits splits, Backend backend, int rank, Consumer<String> say) {
        Dataset train = splits.train();
        Defaults.Facts facts = facts(a, train, backend);
        TrainOptions options = TrainOptions.resolve(asked, facts);
        if (options.data().mean().size() != options.net().channels()) {
            throw UserError.usage("--mean and --std take %d numbers for --channels %d, not %d", options.net().channels(),
                    options.net().channels(), options.data().mean().size());
        }
        List<String> classes = classes(train, options.net().classes());
        Setup setup = new Setup(options, train, splits.validation(), classes, backend, rank, 0);
        setup.checkShares();
        backend.check(setup.precision());
        if (options.together().ranks() > 1) {
            backend.checkRanks();
        }
        setup.checkSteps();
        if (asked.text("batch").orElse("").equals("auto")) {
            int fits = Plans.largestBatch(setup, setup.share());
            int share = rounded(Math.max(1, fits));
            options = TrainOptions.resolve(asked.with("batch", share * options.together().ranks()), facts);
            say.accept("--batch auto: " + options.recipe().batch());
            return new Setup(options, train, splits.validation(), classes, backend, rank, 0);
        }
        if (asked.text("batch").filter(b -> !b.equals(String.valueOf(setup.options.recipe().batch()))).isPresent()) {
            say.accept("%s has %,d images to train on: --batch is lowered to that".formatted(train.name(), train.size()));
        }
        return setup;
    }

    /** Every rank's share of a batch has as many images. */
    private void checkShares() {
        int batch = options.recipe().batch();
        int ranks = options.together().ranks();
        if (batch % ranks != 0) {
            int below = batch / ranks * ranks;
            throw UserError.usage("--batch %d cannot be shared by %d ranks; give --batch %s%d", batch, ranks,
                    below == 0 ? "" : below + " or ", below + ranks);
        }
    }

    /** Images of a step that each rank takes. */
    int share() {
        return options.recipe().batch() / options.together().ranks();
    }

    /** A multiple of 8 where there are as many. */
    private static int rounded(int batch) {
        return batch < MULTIPLE ? batch : batch / MULTIPLE * MULTIPLE;
    }

    private static int threads(Config asked) {
        record Threads(Integer threads) {
        }
        Integer threads = asked.bind(Threads.class).threads;
        if (threads == null) {
            return Runtime.getRuntime().availableProcessors();
        }
        Range.atLeast("threads", threads, 1);
        return threads;
    }

    private static Splits divide(Asked a, Splits splits, Consumer<String> say) {
        if (a.val == null && a.valSplit != null && a.valSplit != 0) {
            return Datasets.split(splits.train(), a.valSplit, a.seed == null ? 0 : a.seed);
        }
        Splits divided = a.val == null ? splits
                : new Splits(splits.train(), Optional.of(Datasets.validation(a.val, splits.train().classes(), say)));
        divided.validation().ifPresent(Datasets::checkClasses);
        return divided;
    }

    private static Defaults.Facts facts(Asked a, Dataset train, Backend backend) {
        int channels = a.channels == null ? train.channels() : a.channels;
        int micro = a.gradAccumulation == null || a.gradAccumulation < 1 ? 1 : a.gradAccumulation;
        Optional<Integer> side = train.uniformSize().filter(s -> s.height() == s.width()).map(Size::height);
        int resolution = a.resolution != null ? a.resolution
                : side.map(s -> a.phi == null ? s : Scaling.resolution(s, a.phi)).orElse(0);
        Model model = a.model(channels, resolution);
        Preset preset = model.preset();
        resolution = model.options().resolution();
        int resize = train.uniformSize().isEmpty() ? preset.resize() : side.equals(Optional.of(resolution)) ? 0 : resolution;
        Optional<Normalization> own = train.normalization().map(n -> n.forChannels(channels));
        // Weights go on seeing images as they were trained to, where their file says how that was.
        Optional<Preprocessing> before = Optional.ofNullable(a.init).flatMap(i -> ModelCard.ofWeights(Path.of(i)))
                .map(ModelCard::preprocessing).filter(p -> p.channels() == channels);
        return new Defaults.Facts(train.classes().size(), channels, resolution, resize,
                before.map(Preprocessing::mean).or(() -> own.map(n -> list(n.mean()))).orElse(preset.mean()),
                before.map(Preprocessing::std).or(() -> own.map(n -> list(n.std()))).orElse(preset.std()),
                train.size(), rounded(Math.clamp(train.size() / LEAST_STEPS / micro, 1, LARGEST_AUTO)),
                backend.bestPrecision().label(), "cpu",
                Runtime.getRuntime().availableProcessors());
    }

    private static List<Double> list(double[] values) {
        return Arrays.stream(values).boxed().toList();
    }

    private static List<String> classes(Dataset train, int wanted) {
        List<String> names = new ArrayList<>(train.classes());
        if (wanted < names.size()) {
            throw UserError.usage("--classes %d: %s has %d classes", wanted, train.name(), names.size());
        }
        while (names.size() < wanted) {
            names.add(String.valueOf(names.size()));
        }
        return names;
    }

    /** The phases of the run by what is frozen. */
    List<TransferOptions.Phase> phases() {
        return options.transfer().phases(options.net().freeze());
    }

    /** The phase that an epoch belongs to. */
    TransferOptions.Phase phase(int epoch) {
        return phases().reversed().stream().filter(p -> p.from() <= epoch).findFirst().orElseThrow();
    }

    /** The same for one phase alone: that is what is frozen, all the time. */
    Setup during(TransferOptions.Phase phase) {
        NetOptions n = options.net();
        NetOptions frozen = new NetOptions(n.model(), n.classes(), n.channels(), n.resolution(), n.width(), n.depth(), n.phi(),
                n.dropout(), n.dropPath(), n.init(), phase.freeze());
        TrainOptions o = new TrainOptions(options.data(), options.variation(), frozen, options.recipe(), options.update(),
                options.run(), options.together(), options.transfer());
        return new Setup(o, train, validation, classes, backend, rank, epochs(phase));
    }

    private int epochs(TransferOptions.Phase phase) {
        Recipe r = options.recipe();
        int all = r.epochs() != null ? r.epochs() : (int) Math.ceilDiv(r.maxSteps(), Math.max(1, train.size() / imagesPerStep()));
        int end = phases().stream().mapToInt(TransferOptions.Phase::from).filter(f -> f > phase.from()).findFirst().orElse(all);
        return Math.max(1, Math.min(end, all) - phase.from());
    }

    /** Variations of each image in which epochs take turns; 0 where every epoch has new ones. */
    private int views() {
        Integer asked = options.transfer().cacheViews();
        return asked != null ? asked : FrozenPrefix.isOwnPlan(this, Plans.frozen(this)) ? FrozenPrefix.views(this) : 0;
    }

    /** Of products and activations. */
    public Precision precision() {
        return RunOptions.precision(options.run().precision()).orElseThrow();
    }

    /** The network for batches of that many images. */
    public Model model(int batch) {
        return model(batch, options.net().resolution());
    }

    /** The same network for images of another size. */
    Model model(int batch, int resolution) {
        return Models.build(options.net().model(), options.net().modelOptions(batch).withResolution(resolution));
    }

    /** Resolutions that images are trained at, ascending; the last is the network's. */
    List<Integer> resolutions() {
        Progressive p = Progressive.of(options.variation().progressive());
        return p == null ? List.of(options.net().resolution()) : p.resolutions();
    }

    /** The resolution of an epoch's images. */
    int resolution(int epoch) {
        Progressive p = Progressive.of(options.variation().progressive());
        return p == null ? options.net().resolution() : p.resolution(epoch, options.recipe().epochs());
    }

    /** Images in a step. */
    int imagesPerStep() {
        return options.recipe().batch() * options.update().gradAccumulation();
    }

    /** Steps in an epoch; the last images that fill none are left out. */
    int stepsPerEpoch() {
        return training(share()).batchesPerEpoch(train.size()) / options.update().gradAccumulation();
    }

    /** Steps of the whole run. */
    long totalSteps() {
        return options.recipe().totalSteps(stepsPerEpoch());
    }

    private void checkSteps() {
        if (imagesPerStep() > train.size()) {
            throw UserError.usage("--grad-accumulation %d with --batch %d takes %,d images a step, and there are %,d to train "
                    + "on", options.update().gradAccumulation(), options.recipe().batch(), imagesPerStep(), train.size());
        }
    }

    /** How an image becomes the network's input. */
    public Preprocessing preprocessing() {
        DataOptions d = options.data();
        return new Preprocessing(d.resizePixels(), options.net().resolution(), options.net().channels(), d.mean(), d.std());
    }

    /** Batches to train on. */
    LoaderOptions training(int batch) {
        return training(batch, options.net().resolution());
    }

    /** The same of images of another size. */
    LoaderOptions training(int batch, int resolution) {
        NetOptions n = options.net();
        DataOptions d = options.data();
        VariationOptions v = options.variation();
        // The same share is cut off at another resolution.
        int resize = resolution == n.resolution() ? d.resizePixels() : d.resizePixels() == 0 ? resolution
                : Math.max(resolution, (int) Math.round((double) d.resizePixels() * resolution / n.resolution()));
        return new LoaderOptions(batch, resolution, resolution, n.channels(),
                Augment.valueOf(d.augment().toUpperCase(Locale.ROOT)), resize, !d.noShuffle(),
                options.run().seed(), d.workers(), true, rank, options.together().ranks(),
                new Erasing(v.erase(), d.mean()), v.mixing(), v.augmentRepeats(), views());
    }

    /** Batches to validate with: no larger than those to train on, whose memory they take. */
    LoaderOptions validating(int batch) {
        return preprocessing().inOrder(batch, options.data().workers());
    }

    /**
     * Plans with the kernels that a training here takes: measured once on a machine, or with {@code --deterministic} by
     * estimate.
     */
    public Tuned plan(List<PlanRequest> requests) {
        return options.run().deterministic()
                ? new Tuned(backend.plan(TuningTable.DETERMINISTIC, requests), TuningTable.DETERMINISTIC)
                : TuningCache.tuned(backend, requests,
                        p -> backend.memory(p) <= backend.freeMemory().orElseGet(HostMemory::available));
    }

    int validationBatch(int batch) {
        if (validation.isPresent() && FrozenPrefix.isOwnPlan(this, Plans.frozen(this))) {
            // One plan computes what is frozen, for training and for validation.
            return batch;
        }
        return validation.map(v -> Math.min(batch, v.size())).orElse(0);
    }
}
