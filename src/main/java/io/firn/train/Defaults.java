package io.firn.train;

import io.firn.error.UserError;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * What a newcomer gets who gives {@code --data} and {@code --model} alone. What is good depends on the size of the images
 * (up to 64 pixels: the recipes of the CIFAR nets, He et al. 2015, arXiv 1512.03385, section 4.2, with today's cosine and
 * weight decay), on the family, and on the optimizer.
 *
 * <table>
 * <caption>By the size of the images</caption>
 * <tr><th></th><th>small (at most 64 pixels)</th><th>large</th></tr>
 * <tr><td>epochs</td><td>30</td><td>90</td></tr>
 * <tr><td>augmentation</td><td>flip; from 10 epochs on standard, which slows short runs down</td><td>standard</td></tr>
 * <tr><td>batch</td><td>64: twice as many steps as 128 make, for the same work</td><td>32</td></tr>
 * <tr><td>label smoothing</td><td>0</td><td>0.1</td></tr>
 * </table>
 * <table>
 * <caption>By optimizer: SGD for ResNets and plain nets, AdamW for EfficientNets, which plain SGD trains badly in few
 * epochs</caption>
 * <tr><th></th><th>learning rate, linear in the batch (AdamW and RMSprop: its square root)</th><th>weight decay</th></tr>
 * <tr><td>sgd</td><td>0.1 at batch 64 (small), 0.1 at batch 256 (large)</td><td>5e-4 (small), 1e-4 (large)</td></tr>
 * <tr><td>adamw</td><td>0.002 at batch 128 (small), 0.001 at batch 256 (large)</td><td>0.05</td></tr>
 * <tr><td>rmsprop</td><td>0.001 at batch 256</td><td>1e-5</td></tr>
 * <tr><td>rmsproptf</td><td>0.016 at batch 256, linear</td><td>1e-5</td></tr>
 * <tr><td>lars</td><td>0.3 at batch 256, linear</td><td>as sgd</td></tr>
 * </table>
 * A run that starts from {@code --init} takes a tenth of the rate. All: cosine with 5 % warm-up, momentum 0.9, seed 0.
 */
public final class Defaults {
    private static final int SMALL_PIXELS = 64;
    private static final double WARMUP_SHARE = 0.05;
    private static final int LONG_RUN = 10;
    private static final int MOST_MILESTONES = 10_000;
    private static final double MOMENTUM = 0.9;

    private Defaults() {
    }

    /**
     * What the data set and the model say.
     *
     * @param classes     of the data set
     * @param channels    of the data set's images: 1 or 3
     * @param resolution  the built-in set's, else the model's, unless one is asked for
     * @param resize      pixels of the shorter side before cropping; 0 for none
     * @param mean        one number a channel
     * @param std         one number a channel
     * @param trainImages images to train on
     * @param autoBatch   what {@code --batch auto} comes to
     * @param precision   what {@code --precision auto} comes to
     * @param device      what {@code --device auto} comes to
     * @param processors  that this process may use
     */
    public record Facts(int classes, int channels, int resolution, int resize, List<Double> mean, List<Double> std,
                        long trainImages, int autoBatch, String precision, String device, int processors) {
    }

    /** The options asked for, and a default for every other that has one; {@code auto} is resolved. */
    static Config complete(Config asked, Facts facts) {
        int resolution = number(asked, "resolution", facts.resolution());
        boolean small = resolution <= SMALL_PIXELS;
        int batch = batch(asked, facts, resolution);
        int micro = number(asked, "grad-accumulation", 1);
        Range.atLeast("grad-accumulation", micro, 1);
        String optimizer = asked.text("optimizer").orElseGet(() -> optimizer(asked.text("model").orElse("")).name())
                .toLowerCase(Locale.ROOT);
        Integer epochs = !asked.has("epochs") && asked.has("max-steps") ? null
                : Integer.valueOf(number(asked, "epochs", small ? 30 : 90));

        Map<String, Object> d = new LinkedHashMap<>();
        d.put("val-split", 0.0);
        d.put("resize", facts.resize() == 0 ? DataOptions.NO_RESIZE : String.valueOf(facts.resize()));
        d.put("mean", facts.mean());
        d.put("std", facts.std());
        d.put("augment", !small || epochs != null && epochs >= LONG_RUN ? "standard" : "flip");
        d.put("mixup", 0.0);
        d.put("cutmix", 0.0);
        d.put("erase", 0.0);
        d.put("augment-repeats", 1);
        d.put("progressive", Progressive.NONE);
        d.put("no-shuffle", false);
        d.put("workers", Math.clamp(facts.processors() / 4, 1, 16));
        d.put("classes", facts.classes());
        d.put("channels", facts.channels());
        d.put("resolution", resolution);
        d.put("freeze", "none");
        d.put("epochs", epochs);
        d.put("optimizer", optimizer);
        d.put("lr", rate(optimizer, batch * micro, small) * (asked.has("init") ? 0.1 : 1));
        d.put("momentum", MOMENTUM);
        d.put("weight-decay", decay(optimizer, small));
        d.put("schedule", "cosine");
        d.put("milestones", asked.text("schedule").orElse("").equalsIgnoreCase("step") && epochs != null
                ? milestones(asked, epochs) : List.of());
        d.put("gamma", 0.1);
        d.put("warmup-epochs", warmup(asked, epochs, facts.trainImages() / batch / micro));
        d.put("label-smoothing", smoothing(small));
        d.put("nesterov", false);
        d.put("ema", 0.0);
        d.put("grad-accumulation", 1);
        d.put("clip-norm", 0.0);
        d.put("no-decay-norms", false);
        d.put("lr-decay-by-stage", 1.0);
        d.put("threads", facts.processors());
        d.put("seed", 0);
        d.put("deterministic", false);
        d.put("checkpoint-every", 60);
        d.put("ranks", 1);
        d.put("sync-bn", false);
        d.put("rank-timeout", 60);

        Map<String, Object> settled = new LinkedHashMap<>();
        settled.put("batch", batch);
        settled.put("precision", settle(asked, "precision", facts.precision()));
        settled.put("device", settle(asked, "device", facts.device()));
        return Config.of(settled).over(asked).over(Config.of(d));
    }

    /** The default number of images in a step. */
    public static int batch(int resolution) {
        return resolution <= SMALL_PIXELS ? 64 : 32;
    }

    private static Recipe.Optimizer optimizer(String model) {
        return model.startsWith("efficientnet") ? Recipe.Optimizer.ADAMW : Recipe.Optimizer.SGD;
    }

    private static double smoothing(boolean small) {
        return small ? 0 : 0.1;
    }

    /** Enough for a step to be worth its overhead; no more images than there are. */
    private static int batch(Config asked, Facts facts, int resolution) {
        int wanted = asked.text("batch").orElse("").equals("auto") ? facts.autoBatch()
                : number(asked, "batch", batch(resolution));
        Range.atLeast("batch", wanted, 1);
        return Math.clamp(facts.trainImages(), 1, wanted);
    }

    private static double rate(String optimizer, int batch, boolean small) {
        return switch (optimizer) {
            case "adamw" -> small ? 0.002 * Math.sqrt(batch / 128.0) : 0.001 * Math.sqrt(batch / 256.0);
            case "rmsprop" -> 0.001 * Math.sqrt(batch / 256.0);
            case "rmsproptf" -> 0.016 * batch / 256;
            case "lars" -> 0.3 * batch / 256;
            default -> 0.1 * batch / (small ? 64 : 256);
        };
    }

    private static double decay(String optimizer, boolean small) {
        return switch (optimizer) {
            case "adamw" -> 0.05;
            case "rmsprop", "rmsproptf" -> 1e-5;
            default -> small ? 5e-4 : 1e-4;
        };
    }

    private static List<Double> milestones(Config asked, int epochs) {
        record Every(Double decayEpochs) {
        }
        Double every = asked.bind(Every.class).decayEpochs;
        if (every == null || !(every > 0)) {
            return List.of(epochs * 0.5, epochs * 0.75);
        }
        return IntStream.iterate(1, i -> i * every < epochs, i -> i + 1).limit(MOST_MILESTONES).mapToObj(i -> i * every)
                .toList();
    }

    /** A share of the run, or nothing where the rate is to stay as it was given. */
    private static double warmup(Config asked, Integer epochs, long stepsPerEpoch) {
        if (asked.text("schedule").orElse("").equalsIgnoreCase("constant")) {
            return 0;
        }
        double length = epochs != null ? epochs : number(asked, "max-steps", 1) / (double) Math.max(1, stepsPerEpoch);
        return WARMUP_SHARE * length;
    }

    private static String settle(Config asked, String key, String auto) {
        String value = asked.text(key).orElse("auto").toLowerCase();
        return value.equals("auto") ? auto : value;
    }

    private static int number(Config asked, String key, int otherwise) {
        try {
            return asked.text(key).map(Integer::parseInt).orElse(otherwise);
        } catch (NumberFormatException e) {
            throw UserError.usage("--%s takes a whole number, not '%s'", key, asked.text(key).orElseThrow());
        }
    }
}
