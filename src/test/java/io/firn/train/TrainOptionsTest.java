package io.firn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.firn.error.UserError;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TrainOptionsTest {
    static final Defaults.Facts SMALL = new Defaults.Facts(10, 1, 28, 0, List.of(0.286), List.of(0.353), 60_000, 512,
            "fp32", "cpu", 2);
    static final Defaults.Facts LARGE = new Defaults.Facts(37, 3, 224, 256, List.of(0.485, 0.456, 0.406),
            List.of(0.229, 0.224, 0.225), 3680, 64, "bf16", "cpu", 16);

    static TrainOptions resolve(Defaults.Facts facts, Object... keysAndValues) {
        Map<String, Object> asked = new HashMap<>(Map.of("data", "fashion-mnist", "model", "resnet20"));
        for (int i = 0; i < keysAndValues.length; i += 2) {
            asked.put((String) keysAndValues[i], keysAndValues[i + 1]);
        }
        return TrainOptions.resolve(Config.of(asked), facts);
    }

    @Test
    void smallImagesGetTheRecipeOfCifar() {
        TrainOptions o = resolve(SMALL, "epochs", 2);
        assertThat(o.recipe()).isEqualTo(new Recipe(2, null, 64, Recipe.Optimizer.SGD, 0.1, 0.9, 5e-4,
                Schedule.Kind.COSINE, List.of(), 0.1, null, 0.1, 0));
        assertThat(o.data().augment()).isEqualTo("flip");
        assertThat(o.data().resizePixels()).isZero();
        assertThat(o.net()).isEqualTo(new NetOptions("resnet20", 10, 1, 28, null, null, null, null, null, null, "none"));
        assertThat(o.run()).isEqualTo(new RunOptions(null, "fp32", "cpu", 2, 0, false, 60));
        assertThat(resolve(SMALL).recipe().epochs()).isEqualTo(30);
        assertThat(resolve(SMALL).data().augment()).isEqualTo("standard");
    }

    /** {@code firn plan} and {@code firn bench} know no data set, but take the step that a training would. */
    @Test
    void stepsWithoutDataAreTheSame() {
        for (String model : List.of("resnet20", "efficientnet_b0")) {
            for (Defaults.Facts f : List.of(SMALL, LARGE)) {
                Recipe r = resolve(f, "model", model, "resolution", f.resolution()).recipe();
                StepOptions step = StepOptions.of(Models.build(model, ModelOptions.defaults().withBatch(r.batch())
                        .withResolution(f.resolution())), Config.of(Map.of()));
                assertThat(step.recipe().update()).isEqualTo(r.update());
                assertThat(step.recipe().labelSmoothing()).isEqualTo(r.labelSmoothing());
                assertThat(step.update()).isEqualTo(resolve(f, "model", model).update());
                assertThat(step.mixed()).isFalse();
                assertThat(Defaults.batch(f.resolution())).isEqualTo(r.batch());
            }
        }
    }

    @Test
    void largeImagesAndEfficientNetsHaveTheirOwn() {
        TrainOptions o = resolve(LARGE, "model", "resnet50");
        assertThat(o.recipe().batch()).isEqualTo(32);
        assertThat(o.recipe().lr()).isEqualTo(0.0125);
        assertThat(o.recipe().labelSmoothing()).isEqualTo(0.1);
        assertThat(o.data().resize()).isEqualTo("256");
        assertThat(o.data().workers()).isEqualTo(4);
        TrainOptions e = resolve(LARGE, "model", "efficientnet_b0", "batch", "64");
        assertThat(e.recipe().optimizer()).isEqualTo(Recipe.Optimizer.ADAMW);
        assertThat(e.recipe().lr()).isEqualTo(0.0005);
    }

    @Test
    void autoComesToWhatTheFactsSayAndNoBatchExceedsTheImages() {
        TrainOptions o = resolve(LARGE, "batch", "auto", "precision", "auto");
        assertThat(o.recipe().batch()).isEqualTo(64);
        assertThat(o.run().precision()).isEqualTo("bf16");
        assertThat(resolve(LARGE, "batch", 5000).recipe().batch()).isEqualTo(3680);
    }

    @Test
    void stepsAloneSpanTheSchedule() {
        Recipe r = resolve(SMALL, "max-steps", 100, "batch", 128).recipe();
        assertThat(r.epochs()).isNull();
        assertThat(r.totalSteps(468)).isEqualTo(100);
        assertThat(r.scheduledSteps(468)).isEqualTo(100);
        assertThat(r.warmupEpochs() * 468).isEqualTo(5);
        Recipe both = resolve(SMALL, "max-steps", 100, "epochs", 2).recipe();
        assertThat(both.totalSteps(468)).isEqualTo(100);
        assertThat(both.scheduledSteps(468)).isEqualTo(936);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
            "batch|0|--batch 0: must be at least 1",
            "batch|many|--batch takes a whole number, not 'many'",
            "epochs|2.5|--epochs takes a whole number, not '2.5'",
            "resize|-3|--resize -3: must be at least 1",
            "resize|big|--resize big: must be none or a number of pixels",
            "augment|rotate|--augment rotate: must be one of none, flip, standard, trivial, rand, auto",
            "precision|fp8|--precision fp8: must be one of auto, fp32, tf32, bf16, fp16",
    })
    void wordsThatMakeNoSense(String key, String value, String message) {
        refused(key, value, message);
    }

    @Test
    void numbersThatMakeNoSense() {
        refused("epochs", 0, "--epochs 0: must be at least 1");
        refused("max-steps", 0, "--max-steps 0: must be at least 1");
        refused("lr", -1.0, "--lr -1: must be at least 0");
        refused("lr", Double.NaN, "--lr NaN: must be at least 0");
        refused("lr", "fast", "--lr takes a number, not \"fast\"");
        refused("momentum", 1.0, "--momentum 1: must be from 0 to below 1");
        refused("mixup", -1.0, "--mixup -1: must be at least 0");
        refused("erase", 1.5, "--erase 1.5: must be from 0 to 1");
        refused("augment-repeats", 0, "--augment-repeats 0: must be at least 1");
        refused("dropout", 1.5, "--dropout 1.5: must be from 0 to below 1");
        refused("val-split", 1.0, "--val-split 1: must be from 0 to below 1");
        refused("channels", 2, "--channels 2: must be 1 (gray) or 3 (colour)");
        refused("width", 0.0, "--width 0: must be above 0");
        refused("threads", 0, "--threads 0: must be at least 1");
        refused("milestones", List.of(3, 1), "--milestones [3.0, 1.0]: must be epochs above 0 in ascending order");
        refused("mean", List.of(0.1, 0.2, 0.3), "--mean and --std take one number a channel each (1 or 3), not 3 and 1");
        refused("optimizer", "adam", "--optimizer takes sgd|adamw|rmsprop|rmsproptf|lars, not \"adam\"");
        refused("no-shuffle", "yes", "--no-shuffle takes true or false, not \"yes\"");
        refused("warmup-epochs", 40, "--warmup-epochs 40.0: must be less than --epochs 30");
    }

    @Test
    void optionsThatExcludeEachOther() {
        assertThatThrownBy(() -> resolve(SMALL, "phi", 1, "width", 2)).hasMessageContaining("--phi and --width");
        assertThatThrownBy(() -> resolve(SMALL, "val", "x", "val-split", 0.1)).hasMessageContaining("--val and --val-split");
        assertThatThrownBy(() -> TrainOptions.resolve(Config.of(Map.of("model", "resnet20")), SMALL))
                .isInstanceOf(UserError.class).hasMessageContaining("--data is missing");
    }

    private static void refused(String key, Object value, String message) {
        UserError e = catchThrowableOfType(UserError.class, () -> resolve(SMALL, key, value));
        assertThat(e).as(key).hasMessage(message);
        assertThat(e.kind()).isEqualTo(UserError.Kind.USAGE);
    }

    @Test
    void theWrittenConfigurationRepeatsTheRun(@TempDir Path folder) {
        Path file = folder.resolve("config.toml");
        for (TrainOptions o : List.of(resolve(SMALL, "epochs", 12, "schedule", "step", "seed", 1L << 40, "dropout", 0.25),
                resolve(LARGE, "max-steps", 6, "no-shuffle", true, "deterministic", true, "model", "efficientnet_b0"))) {
            o.config().write(file);
            // Other facts, so that each value that was not written would show.
            Defaults.Facts other = o.net().resolution() == 28 ? LARGE : SMALL;
            assertThat(TrainOptions.resolve(TrainOptions.read(file), other)).isEqualTo(o);
        }
    }

    @Test
    void aResumedRunKeepsWhatItLearnsBy() {
        Config before = resolve(SMALL, "epochs", 2).config();
        TrainOptions.refuseConflicts(before, Config.of(Map.of("epochs", 4, "threads", 1, "optimizer", "SGD", "lr", 0.1,
                "batch", "auto")));
        assertThatThrownBy(() -> TrainOptions.refuseConflicts(before, Config.of(Map.of("lr", 0.2, "init", "w"))))
                .hasMessageContaining("--init w (was not given), --lr 0.2 (was 0.1)");
    }
}
