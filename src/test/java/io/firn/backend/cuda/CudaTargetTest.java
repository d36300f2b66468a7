package io.firn.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.firn.error.UserError;
import io.firn.plan.Precision;
import io.firn.plan.Target;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** GPUs that need not be here. */
class CudaTargetTest {

    static List<String> names() {
        return CudaTarget.names();
    }

    @ParameterizedTest
    @MethodSource("names")
    void everyDeviceIsWhole(String name) throws Exception {
        Target t = CudaTarget.of(name, _ -> List.of());
        assertThat(t.name()).isEqualTo(name);
        Target.Rates r = t.rates();
        assertThat(r.source()).isNotBlank();
        assertThat(r.flops(Precision.BF16)).isGreaterThan(r.tf32());
        assertThat(r.tf32()).isGreaterThan(0.7 * r.fp32());
        assertThat(r.vector()).isLessThanOrEqualTo(r.fp32());
        assertThat(r.bandwidth()).isBetween(1e11, 1e13);
        Target.Device.Gpu gpu = (Target.Device.Gpu) t.device();
        assertThat(gpu.computeCapability()).isIn(80, 89, 90);
        assertThat(gpu.memory()).isGreaterThan(20_000_000_000L);
        // As many keys as cuDNN wants: a missing one is an error there.
        GpuProperties properties = new ObjectMapper().readValue(gpu.properties(), GpuProperties.class);
        assertThat(properties.deviceName()).isEqualTo(gpu.product());
        assertThat(properties.maxBlockSize()).hasSize(3);
    }

    @Test
    void unknownNamesAreUsageErrors() {
        assertThatThrownBy(() -> CudaTarget.of("h10", _ -> List.of("h100", "h200"))).isInstanceOf(UserError.class)
                .hasMessage("--target h10: no device has that name; did you mean h100 or h200?");
        assertThatThrownBy(() -> CudaTarget.of("mi300", _ -> List.of())).isInstanceOf(UserError.class)
                .hasMessageContaining("there are cpu, h100, h200");
    }

    @TempDir
    private Path folder;

    private Target file(String text) throws IOException {
        Path file = folder.resolve("gpu.json");
        Files.writeString(file, text);
        return CudaTarget.of(file.toString(), _ -> List.of());
    }

    private static String resource() throws IOException {
        try (InputStream in = CudaTarget.class.getResourceAsStream("h100.json")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    @Test
    void anExportedGpuIsPlannedForAtTheRatesOfTheNearestKnown() throws IOException {
        Target h100 = CudaTarget.of("h100", _ -> List.of());
        GpuProperties p = new ObjectMapper().readValue(((Target.Device.Gpu) h100.device()).properties(), GpuProperties.class);
        Target same = file(TargetFile.of(p).toJson());
        assertThat(same.device()).isEqualTo(h100.device());
        assertThat(same.rates()).isEqualTo(h100.rates());
        Target half = file(TargetFile.of(p).toJson().replace("\"multiProcessorCount\" : 132", "\"multiProcessorCount\" : 66")
                .replace("NVIDIA H100 80GB HBM3", "NVIDIA H50"));
        assertThat(half.name()).isEqualTo("h100-80gb-hbm3");
        assertThat(half.rates().half()).isEqualTo(0.5 * h100.rates().half());
        assertThat(half.rates().source()).contains("those of h100 by multiprocessors: assumed");
    }

    @Test
    void aFileMayHaveRatesOfItsOwn() throws IOException {
        Target t = file(resource().replace("\"name\": \"h100\"", "\"name\": \"mine\"").replace("3350000000000.0", "1e12"));
        assertThat(t.name()).isEqualTo("mine");
        assertThat(t.rates().bandwidth()).isEqualTo(0.896e12);
    }

    @Test
    void whatIsNoTargetIsOneLine() throws IOException {
        for (String text : List.of("", "null", "[1]", "{}", resource().replace("\"tf32\"", "\"tf64\""),
                resource().replace("\"multiProcessorCount\": 132,", ""),
                resource().replace("\"multiProcessorCount\": 132", "\"multiProcessorCount\": 0"),
                resource().replace("0.809", "80.9"), resource().replace("3350000000000.0", "null"))) {
            assertThatThrownBy(() -> file(text)).as(text).isInstanceOf(UserError.class)
                    .hasMessageContaining("gpu.json is no description of a GPU").hasMessageNotContaining("\n");
        }
        assertThatThrownBy(() -> CudaTarget.of(folder.resolve("none.json").toString(), _ -> List.of()))
                .isInstanceOf(UserError.class).hasMessageContaining("there is no such file");
    }
}
