package io.firn.numerics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.firn.backend.Backend;
import io.firn.backend.cpu.CpuBackend;
import io.firn.plan.Precision;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Logits of every family against torchvision's in double precision, from the same weights and images. */
class EvaluationNumericsTest {
    private static final int THREADS = 2;
    private static final double FP32_TOLERANCE = 1e-4;
    private static final double BF16_TOLERANCE = 0.05;
    /** Where twice PyTorch's own distance is more, as in EfficientNets, that counts up to this: B5's is 0.24, B0's 0.16. */
    private static final double BF16_LIMIT = 0.15;

    private static Backend backend;

    @BeforeAll
    static void open() {
        backend = CpuBackend.open(THREADS);
    }

    @AfterAll
    static void close() {
        backend.close();
    }

    static Stream<String> models() {
        return entries().map(e -> e.get("model").textValue());
    }

    private static Stream<JsonNode> entries() {
        return StreamSupport.stream(References.read("eval.json").get("entries").spliterator(), false);
    }

    private static JsonNode entry(String model) {
        return entries().filter(e -> e.get("model").textValue().equals(model)).findFirst().orElseThrow();
    }

    @ParameterizedTest
    @MethodSource("models")
    void logitsAreTorchvisions(String model) {
        assertThat(distance(entry(model), Precision.FP32)).as(model).isLessThanOrEqualTo(FP32_TOLERANCE);
    }

    @ParameterizedTest
    @MethodSource("models")
    void logitsInHalfThePrecisionAreNear(String model) {
        assumeTrue(backend.bestPrecision() == Precision.BF16, "this processor has no bf16");
        JsonNode entry = entry(model);
        double torch = entry.get("torch_bf16_error").doubleValue();
        assertThat(distance(entry, Precision.BF16)).as("%s, where PyTorch's is %.2g", model, torch)
                .isLessThanOrEqualTo(Math.clamp(2 * torch, BF16_TOLERANCE, BF16_LIMIT));
    }

    /** Largest difference of a logit, relative to the largest logit. */
    private static double distance(JsonNode entry, Precision precision) {
        float[] logits;
        try (ReferenceNet net = ReferenceNet.evaluating(backend, entry, precision)) {
            logits = net.evaluate();
        }
        double most = 0;
        double error = 0;
        int i = 0;
        for (JsonNode row : entry.get("logits")) {
            for (double expected : References.numbers(row)) {
                most = Math.max(most, Math.abs(expected));
                // Math.max hands NaN on, which no tolerance holds.
                error = Math.max(error, Math.abs(logits[i++] - expected));
            }
        }
        assertThat(logits).hasSize(i);
        return error / most;
    }
}
