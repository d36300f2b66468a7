package io.firn.cli;

import static io.firn.cli.CommandLineRun.fields;
import static org.assertj.core.api.Assertions.assertThat;

import io.firn.backend.cuda.CudaDriver;
import io.firn.train.Devices;
import org.junit.jupiter.api.Test;

/** {@code firn info}. */
class InfoCommandTest {
    @Test
    void saysWhatIsHereAndWhatWouldBeUsed() {
        var run = CommandLineRun.of("info", "--json");
        assertThat(run.code()).as(run.err()).isZero();
        var json = run.json();
        assertThat(fields(json)).containsExactly("version", "java", "machine", "cuda", "libraries",
                "cuda_libraries", "plans_assumed", "backend");
        assertThat(fields(json.get("machine"))).containsExactly("processor", "cores", "instructions", "memory",
                "free_memory");
        assertThat(json.get("machine").get("cores").asInt()).isPositive();
        assertThat(json.get("machine").get("memory").asLong()).isGreaterThan(1 << 28);
        String why = Devices.whyNoCuda();
        assertThat(json.get("backend").get("used").asText()).isEqualTo(why.isEmpty() ? "cuda" : "cpu");
        assertThat(json.get("backend").get("not_used").get(why.isEmpty() ? "cpu" : "cuda").asText()).isNotEmpty();
        assertThat(json.get("libraries").findValuesAsText("problem")).containsOnly("");
        assertThat(json.get("libraries").findValuesAsText("version")).contains("plain 1").doesNotContain("");
        for (var l : json.get("cuda_libraries")) {
            assertThat(l.get("path").asText().isEmpty()).as(l.toString()).isNotEqualTo(l.get("problem").asText().isEmpty());
        }
        assertThat(json.get("cuda_libraries").findValuesAsText("name")).contains("cuDNN", "NVRTC");
        assertThat(CommandLineRun.of("info").out()).containsPattern("\nbackend +(cpu\n +not cuda|cuda\n +not cpu): ");
    }

    @Test
    void withoutGpuThereIsNoTargetToExport() {
        org.junit.jupiter.api.Assumptions.assumeTrue(CudaDriver.probe().gpus().isEmpty(), "there is a GPU here");
        var run = CommandLineRun.of("info", "--export-target");
        assertThat(run.code()).isEqualTo(1);
        assertThat(run.out()).isEmpty();
        assertThat(run.err()).contains("there is no GPU to export: " + CudaDriver.probe().problem());
    }
}
