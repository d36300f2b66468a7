package io.firn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import io.firn.backend.Backend;
import io.firn.error.UserError;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What {@code --device} takes. */
class DevicesTest {

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {"cuda|use --device cpu", "cuda:1|use --device cpu", "cuda:0,1|computes on one GPU",
        "cuda:x|there is auto, cpu and cuda[:N]", "gpu|there is auto, cpu and cuda[:N]"})
    void whatIsNotThereIsAUsageError(String device, String said) {
        assumeFalse(Devices.whyNoCuda().isEmpty(), "there is a GPU here");
        assertThatThrownBy(() -> Devices.local(device, 1)).isInstanceOfSatisfying(UserError.class,
                e -> assertThat(e.kind()).isEqualTo(UserError.Kind.USAGE)).hasMessageContaining("--device " + device)
                .hasMessageContaining(said);
    }

    @Test
    void withoutAGpuAutoIsTheCpu() {
        assumeFalse(Devices.whyNoCuda().isEmpty(), "there is a GPU here");
        try (Backend backend = Devices.local("auto", 1)) {
            assertThat(backend.target().name()).isEqualTo("cpu");
        }
    }
}
