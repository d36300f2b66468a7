package io.firn.cli;

import static io.firn.cli.CommandLineRun.fields;
import static org.assertj.core.api.Assertions.assertThat;

import io.firn.backend.cuda.CudaDriver;
import io.firn.train.Devices;
import java.util.List;
import org.junit.jupiter.api.Test;

/** {@code firn info}. */
class InfoCommandTest {
    @Test
    void saysWhatIsHereAndWhatWouldBeUsed() {
        var run = CommandLineRun.of("info", "--json");
        assertThat(run.code()).as(run.err()).isZero();
        var json = run.json();
        assertThat(fields(json)).containsExactly("version", "java", "machine", "cuda", "libraries",
                "cuda_libraries", "backend");
        assertThat(fields(json.get("machine"))).containsExactly("processor", "cores", "instructions", "memory",
                "free_memory");
        assertThat(json.get("machine").get("cores").asInt()).isPositive();
        assertThat(json.get("machine").get("memory").asLong()).isGreaterThan(1 << 28);
        assertThat(json.get("backend").get("used").asText()).isEqualTo("cpu");
        assertThat(json.get("backend").get("not_used").get("cuda").asText()).contains("not built yet");
        assertThat(json.get("libraries").findValuesAsText("problem")).containsOnly("");
        assertThat(json.get("libraries").findValuesAsText("version")).contains("plain 1").doesNotContain("");
        for (var l : json.get("cuda_libraries")) {
            assertThat(l.get("path").asText().isEmpty()).as(l.toString()).isNotEqualTo(l.get("problem").asText().isEmpty());
        }
        assertThat(json.get("cuda_libraries").findValuesAsText("name")).contains("cuDNN", "NVRTC");
        assertThat(CommandLineRun.of("info").out()).containsPattern("\nbackend +cpu\n +not cuda: ");
    }

    @Test
    void withoutGpuThereIsNoTargetToExport() {
        org.junit.jupiter.api.Assumptions.assumeTrue(CudaDriver.probe().gpus().isEmpty(), "there is a GPU here");
        var run = CommandLineRun.of("info", "--export-target");
        assertThat(run.code()).isEqualTo(1);
        assertThat(run.out()).isEmpty();
        assertThat(run.err()).contains("there is no GPU to export: " + CudaDriver.probe().problem());
    }

    @Test
    void aDriverWithoutGpuHasAReason() {
        assertThat(Devices.whyNoCuda(new CudaDriver("no driver library libcuda.so.1", false, "", List.of())))
                .isEqualTo("no driver library libcuda.so.1; Firn's CUDA backend is not built yet");
        CudaDriver here = CudaDriver.probe();
        assertThat(here.gpus().isEmpty()).isEqualTo(!here.problem().isEmpty());
    }
}
