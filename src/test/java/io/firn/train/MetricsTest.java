package io.firn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.error.UserError;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MetricsTest {
    @TempDir
    Path folder;
    private Path file;

    @BeforeEach
    void twoEpochsOfTwoSteps() {
        file = folder.resolve("metrics.jsonl");
        try (Metrics m = Metrics.create(file)) {
            for (int step = 1; step <= 4; step++) {
                m.add(new Metrics.Step(step, (step - 1) / 2, step / 3f, 0.1, 812.5f));
                if (step % 2 == 0) {
                    m.add(new Metrics.Epoch(step / 2 - 1, 0.5, 0.25, 0.9, 0.99, 1.5));
                }
            }
        }
    }

    @Test
    void aLineIsAsTheContractHasIt() throws IOException {
        assertThat(Files.readAllLines(file)).startsWith(
                "{\"kind\":\"step\",\"step\":1,\"epoch\":0,\"loss\":0.33333334,\"lr\":0.1,\"images_per_s\":812.5}",
                "{\"kind\":\"step\",\"step\":2,\"epoch\":0,\"loss\":0.6666667,\"lr\":0.1,\"images_per_s\":812.5}",
                "{\"kind\":\"epoch\",\"epoch\":0,\"train_loss\":0.5,\"val_loss\":0.25,\"val_top1\":0.9,\"val_top5\":0.99,"
                        + "\"seconds\":1.5}");
    }

    @Test
    void withoutValidationItsValuesAreLeftOut() throws IOException {
        try (Metrics m = Metrics.create(file)) {
            m.add(new Metrics.Epoch(0, Double.NaN, null, null, null, 2));
        }
        assertThat(Files.readString(file)).isEqualTo("{\"kind\":\"epoch\",\"epoch\":0,\"train_loss\":\"NaN\",\"seconds\":2.0}\n");
    }

    @Test
    void resumingCutsWhatLiesBeyondTheCheckpoint() throws IOException {
        Metrics.resume(file, 3, 1).close();
        assertThat(Files.readAllLines(file)).hasSize(4).last().asString().contains("\"step\":3");
        // The checkpoint after step 2 came before the epoch's line was written.
        try (Metrics m = Metrics.resume(file, 2, 0)) {
            m.add(new Metrics.Epoch(0, 0.5, null, null, null, 1));
        }
        assertThat(Files.readAllLines(file)).hasSize(3).last().asString().contains("\"kind\":\"epoch\"");
        Metrics.resume(file, 0, 0).close();
        assertThat(file).isEmptyFile();
    }

    @Test
    void aTornLineIsCutOff() throws IOException {
        String whole = Files.readString(file);
        Files.writeString(file, "{\"kind\":\"step\",\"step\":5,\"ep", StandardOpenOption.APPEND);
        Metrics.resume(file, 9, 9).close();
        assertThat(file).hasContent(whole);
        Files.writeString(file, "\0\0\0\n", StandardOpenOption.APPEND);
        Metrics.resume(file, 9, 9).close();
        assertThat(file).hasContent(whole);
    }

    @Test
    void anUnwritablePlaceIsNamed() {
        Path nowhere = folder.resolve("none/metrics.jsonl");
        assertThatThrownBy(() -> Metrics.create(nowhere)).isInstanceOf(UserError.class)
                .hasMessage("cannot write " + nowhere + ": its folder does not exist");
    }
}
