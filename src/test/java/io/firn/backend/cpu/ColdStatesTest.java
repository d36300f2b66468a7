package io.firn.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.plan.Precision;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Cold is what is frozen: steps read what was prepared of it. */
class ColdStatesTest {
    private static CpuBackend backend;

    @BeforeAll
    static void open() {
        backend = CpuBackend.open(2);
    }

    @AfterAll
    static void close() {
        backend.close();
    }

    @ParameterizedTest
    @CsvSource({"head, FP32, '(conv1|bn1|layer[1-4])\\..*'", "head, BF16, '(conv1|bn1|layer[1-4])\\..*'",
            "until:layer4, FP32, '(conv1|bn1|layer[1-3])\\..*'", "until:layer4, BF16, '(conv1|bn1|layer[1-3])\\..*'",
            "layer2, FP32, 'layer2\\..*'", "none, FP32, ''"})
    void whatIsFrozen(String freeze, Precision precision, String names) {
        FrozenProgram p = FrozenProgram.of(backend, Optional.of(freeze), precision);
        assertThat(ColdStates.of(p.program())).isEqualTo(matching(p, names));
    }

    @Test
    void anEvaluationReadsOnlyTheHeadsWeightsThemselves() {
        FrozenProgram p = FrozenProgram.of(backend, Optional.empty(), Precision.FP32);
        assertThat(ColdStates.of(p.program())).isEqualTo(matching(p, "(conv1|bn1|layer[1-4])\\..*"));
    }

    @Test
    void aRangeHoldsStatesThatFollowEachOtherAndNoOther() {
        FrozenProgram p = FrozenProgram.of(backend, Optional.of("head"), Precision.FP32);
        Set<String> cold = ColdStates.of(p.program());
        List<ColdStates.Range> ranges = ColdStates.ranges(p.program());
        assertThat(ranges).as("parameters, statistics").hasSize(2);
        p.program().state().buffers().forEach((name, b) -> assertThat(ranges.stream()
                .filter(r -> r.overlaps(b.offset(), b.end())).count()).as(name).isEqualTo(cold.contains(name) ? 1 : 0));
        assertThat(new ColdStates.Range(65, 255).within(64)).isEqualTo(new ColdStates.Range(128, 192));
        assertThat(new ColdStates.Range(65, 127).within(64).bytes()).isNotPositive();
    }

    private static Set<String> matching(FrozenProgram p, String names) {
        return p.program().state().states().keySet().stream().filter(n -> n.matches(names)).collect(Collectors.toSet());
    }
}
