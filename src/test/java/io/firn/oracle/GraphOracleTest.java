package io.firn.oracle;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.graph.Conversion;
import io.firn.graph.DType;
import io.firn.graph.Elementwise;
import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Type;
import io.firn.graph.Value;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Whole graphs: names, states, and what rounding adds. */
class GraphOracleTest {
    private static final double[] X = {1 + 0x1p-10, 1 + 0x1p-30};
    private static final double[] W = {1, 1};

    /** y = bf16(x) + bf16(w), and w becomes x + w. */
    private static Graph graph() {
        GraphBuilder b = new GraphBuilder();
        Value x = b.input("x", Type.f32(2));
        Value w = b.parameter("w", 2);
        b.parameter("unused", 1);
        Value y = b.add("y", new Elementwise.Add(), b.add("x16", new Conversion.Cast(DType.BF16), x),
                b.add("w16", new Conversion.Cast(DType.BF16), w));
        b.output("y", y);
        b.update("w", b.add("sum", new Elementwise.Add(), x, w));
        return b.build();
    }

    @Test
    void namesOutputsAndStates() {
        var result = GraphOracle.evaluate(graph(), Map.of("x", X, "w", W, "unused", new double[] {5}, "other", X));
        assertThat(result.output("y")).containsExactly(2 + 0x1p-10, 2 + 0x1p-30);
        assertThat(result.statesAfter()).containsOnlyKeys("w", "unused");
        assertThat(result.statesAfter().get("w")).containsExactly(2 + 0x1p-10, 2 + 0x1p-30);
        assertThat(result.statesAfter().get("unused")).containsExactly(5);
    }

    @Test
    void storedValuesLoseWhatTheirTypesCannotHold() {
        var result = GraphOracle.evaluate(graph(), Map.of("x", X, "w", W, "unused", new double[1]),
                GraphOracle.Precision.STORED);
        assertThat(result.output("y")).containsExactly(2, 2);
        assertThat(result.statesAfter().get("w")).containsExactly(2 + 0x1p-10, 2);
    }

    @Test
    void saysWhatIsMissing() {
        assertThatThrownBy(() -> GraphOracle.evaluate(graph(), Map.of("x", X))).hasMessageContaining("w f32[2]");
        assertThatThrownBy(() -> GraphOracle.evaluate(graph(), Map.of("x", new double[3], "w", W)))
                .hasMessageContaining("3 elements");
    }
}
