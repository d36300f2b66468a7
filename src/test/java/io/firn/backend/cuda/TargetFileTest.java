package io.firn.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import org.junit.jupiter.api.Test;

/** The document of a target. */
class TargetFileTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** Names of the keys are cuDNN's to the letter: a description that it took comes out as it went in. */
    @Test
    void propertiesHaveTheNamesThatCudnnTakes() throws IOException {
        try (InputStream in = TargetFileTest.class.getResourceAsStream("h100.json")) {
            var known = JSON.readTree(in).get("device");
            GpuProperties p = JSON.treeToValue(known, GpuProperties.class);
            assertThat(p.computeCapability()).isEqualTo("9.0");
            var exported = JSON.readTree(TargetFile.of(p).toJson());
            assertThat(exported.get("device")).isEqualTo(known);
            assertThat(exported.get("name").asText()).isEqualTo("h100-80gb-hbm3");
            assertThat(exported.get("rates").isNull()).isTrue();
        }
    }
}
