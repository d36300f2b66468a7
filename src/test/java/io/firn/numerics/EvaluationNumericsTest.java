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
    /** Of PyTorch's own bf16, EfficientNet-B5's logits here are off by 0.24 and B0's by 0.16. */
    private static final double BF16_TOLERANCE = 0.15;

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

    @ParameterizedTest
    @MethodSource("models")
    void logitsAreTorchvisions(String model) {
        assertThat(distance(model, Precision.FP32)).as(model).isLessThanOrEqualTo(FP32_TOLERANCE);
    }

    @ParameterizedTest
    @MethodSource("models")
    void logitsInHalfThePrecisionAreNear(String model) {
        assumeTrue(backend.bestPrecision() == Precision.BF16, "this processor has no bf16");
        assertThat(distance(model, Precision.BF16)).as(model).isLessThanOrEqualTo(BF16_TOLERANCE);
    }

    /** Largest difference of a logit, relative to the largest logit. */
    private static double distance(String model, Precision precision) {
        JsonNode entry = entries().filter(e -> e.get("model").textValue().equals(model)).findFirst().orElseThrow();
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
                double difference = Math.abs(logits[i++] - expected);
                // A number that is none stays none.
                error = difference <= error ? error : difference;
            }
        }
        assertThat(logits).hasSize(i);
        if (System.getenv("FIGURES") != null) System.out.printf("EVAL %s %s %.3g (torch fp32 %s)%n", model, precision, error / most, entry.get("torch_fp32_error"));
        return error / most;
    }
}
