package io.firn.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.error.UserError;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What is asked of a driver is what CUDA 13.0's has. */
class DriverTest {

    @Test
    void everyFunctionIsInTheHeader() throws IOException {
        String header = Files.readString(CudaFixture.headers().resolve("cuda.h"),
                StandardCharsets.ISO_8859_1);
        Set<String> known = DriverStub.functions(header);
        assertThat(Arrays.stream(DriverFunction.values()).map(DriverFunction::symbol).filter(s -> !s.startsWith("cuGetError")))
                .allSatisfy(s -> assertThat(known).contains(s));
    }

    @Test
    void aDriverThatLacksAFunctionIsRefused() {
        SymbolLookup none = name -> name.equals("cuMemAlloc_v2") ? Optional.empty()
                : Optional.of(MemorySegment.ofAddress(1));
        assertThatThrownBy(() -> new Driver(none)).isInstanceOf(UserError.class)
                .hasMessageContaining("lacks cuMemAlloc_v2").hasMessageContaining("CUDA 13.0");
    }
}
