package io.firn.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.firn.error.UserError;
import io.firn.plan.Precision;
import io.firn.plan.Target;
import java.util.List;
import org.junit.jupiter.api.Test;
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
}
