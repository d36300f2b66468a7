package io.firn.finetune;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.Firn;
import io.firn.error.UserError;
import io.firn.train.Config;
import io.firn.train.Devices;
import io.firn.train.TinyData;
import io.firn.train.TrainRequest;
import io.firn.weights.Safetensors;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Measures, starts from a probed head, trains; and what it wrote repeats the run. */
class FineTuningTest {
    @TempDir
    static Path shared;
    private static Path data;
    private static Path first;

    @TempDir
    private Path folder;

    @BeforeAll
    static void preTrain() {
        first = shared.resolve("first");
        Firn.train(options("data", TinyData.idx(shared.resolve("four"), 96, 24, 4).toString(), "model", "resnet20", "epochs", 3,
                "depth", 0.3), first);
        data = TinyData.idx(shared.resolve("three"), 48, 12, 3);
    }

    private static Map<String, Object> options(Object... more) {
        Map<String, Object> options = new HashMap<>(Map.of("batch", 8, "precision", "fp32", "deterministic", true, "threads", 1,
                "augment", "none"));
        for (int i = 0; i < more.length; i += 2) {
            options.put((String) more[i], more[i + 1]);
        }
        return options;
    }

    private FineTuning.Result tune(String run, ByteArrayOutputStream log, Integer gradual, Object... more) {
        Map<String, Object> options = options("data", data.toString(), "init", first.toString(), "epochs", 2);
        options.putAll(options(more));
        return Firn.finetune(new TrainRequest(Config.of(options), Optional.of(folder.resolve(run)), false, false, Devices::local,
                new PrintStream(log)), new FineTuning.Options(OptionalDouble.empty(), gradual, FineTuning.Head.AUTO));
    }

    @Test
    void itMeasuresStartsFromAProbeAndCanBeRepeated() throws IOException {
        var log = new ByteArrayOutputStream();
        FineTuning.Result r = tune("run", log, null);
        assertThat(r.freeze()).isEqualTo("until:layer2");
        assertThat(r.run().valTop1()).isGreaterThan(0.8);
        assertThat(log.toString()).contains("--freeze until:layer2 (large and similar)", "fc starts as a ridge regression",
                "replaces the file's", "are bit for bit what they were");
        assertThat(folder.resolve("run/advice.json")).exists();
        assertThat(Files.readString(folder.resolve("run/config.toml"))).contains("start.safetensors", "freeze = 'until:layer2'",
                "lr-decay-by-stage = 0.75");
        Firn.train(TrainRequest.of(new io.firn.train.TestConfigs(folder.resolve("run")).options(), folder.resolve("again")));
        var a = Safetensors.read(folder.resolve("run/weights.safetensors")).tensors();
        var b = Safetensors.read(folder.resolve("again/weights.safetensors")).tensors();
        a.forEach((name, t) -> assertThat(t.data()).as(name).isEqualTo(b.get(name).data()));
    }

    @Test
    void freezeOverrulesAndStagesAreUnfrozenOneByOne() throws IOException {
        var log = new ByteArrayOutputStream();
        FineTuning.Result r = tune("run", log, 1, "freeze", "until:layer2", "epochs", 3);
        assertThat(r.advice()).isNull();
        assertThat(log.toString()).contains("as given: nothing is measured",
                "--gradual: the head first, then 1:until:layer3, 2:until:layer2", "from epoch 2 on: --freeze until:layer2");
        assertThat(folder.resolve("run/advice.json")).doesNotExist();
    }

    @Test
    void stagesNearTheInputLearnSlowerUnlessTheRateIsGiven() {
        Config weights = Config.of(Map.of("init", "net.safetensors", "freeze", "until:layer3"));
        assertThat(FineTuning.withStageRates(weights).text("lr-decay-by-stage")).contains("0.75");
        assertThat(FineTuning.withStageRates(weights.with("lr-decay-by-stage", 1)).text("lr-decay-by-stage")).contains("1");
        assertThat(FineTuning.withStageRates(weights.with("freeze", "head")).has("lr-decay-by-stage")).isFalse();
        assertThat(FineTuning.withStageRates(weights.without("init")).has("lr-decay-by-stage")).isFalse();
    }

    @Test
    void whatCannotBeFineTunedIsRefused() throws IOException {
        byte[] weights = Files.readAllBytes(first.resolve("weights.safetensors"));
        int data = 8 + Math.toIntExact(ByteBuffer.wrap(weights).order(ByteOrder.LITTLE_ENDIAN).getLong(0));
        int middle = data + (weights.length - data) / 8 * 4;
        ByteBuffer.wrap(weights).order(ByteOrder.LITTLE_ENDIAN).putFloat(middle, Float.NaN);
        Path diverged = Files.write(shared.resolve("diverged.safetensors"), weights);
        var log = new ByteArrayOutputStream();
        assertThatThrownBy(() -> tune("run", log, null, "freeze", "layer7")).isInstanceOf(UserError.class)
                .hasMessageContaining("no module is named 'layer7'");
        assertThatThrownBy(() -> tune("run", log, null, "data", TinyData.idx(shared.resolve("one"), 16, 0, 1).toString()))
                .hasMessageContaining("at least two classes");
        assertThatThrownBy(() -> tune("run", log, null, "val", TinyData.idx(shared.resolve("more"), 16, 16, 4).toString()))
                .hasMessageContaining("has class '3', which the training set's 3 classes");
        assertThatThrownBy(() -> tune("run", log, null, "init", diverged.toString())).isInstanceOf(UserError.class)
                .hasMessageContaining("diverged.safetensors: ").hasMessageContaining("not finite");
        assertThat(folder.resolve("run")).doesNotExist();
    }

    @Test
    void theHeadIsTheRidge() {
        Random random = new Random(1);
        int[] labels = new int[60];
        for (int d : new int[] {5, 90}) {
            float[][] x = new float[60][d];
            for (int i = 0; i < 60; i++) {
                labels[i] = i % 3;
                for (int j = 0; j < d; j++) {
                    x[i][j] = (float) (random.nextGaussian() * (j + 1) + (j == labels[i] ? 8 * (j + 1) : 3));
                }
            }
            HeadStart head = HeadStart.of(x, labels, 3);
            int right = 0;
            for (int i = 0; i < 60; i++) {
                int top = 0;
                double[] logits = new double[3];
                for (int k = 0; k < 3; k++) {
                    logits[k] = head.bias()[k];
                    for (int j = 0; j < d; j++) {
                        logits[k] += head.weight()[k * d + j] * x[i][j];
                    }
                    top = logits[k] > logits[top] ? k : top;
                }
                right += top == labels[i] ? 1 : 0;
            }
            assertThat(right / 60.0).as("%d features", d).isGreaterThanOrEqualTo(head.accuracy()).isGreaterThan(0.9);
        }
    }
}
