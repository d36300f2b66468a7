package io.firn.oracle;

import static io.firn.oracle.Samples.array;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.firn.graph.Clipping;
import io.firn.graph.DType;
import io.firn.graph.Rates;
import io.firn.graph.Shape;
import io.firn.graph.Type;
import io.firn.graph.Update;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Several steps of every optimizer, with clipping and averages, against PyTorch's ({@code make_updates.py}). */
class UpdateReferencesTest {
    private static final int[] SIZES = {6, 4};

    private static Update.Step optimizer(String name) {
        return switch (name) {
            case "sgd" -> new Update.Sgd(0.9, 0.01, false, 1);
            case "nesterov" -> new Update.Sgd(0.9, 0.01, true, 1);
            case "adamw" -> new Update.AdamW(0.9, 0.999, 1e-8, 0.05, 1);
            case "rmsprop" -> new Update.RmsProp(0.99, 1e-8, false, 0.9, 0.01, 1);
            case "rmsproptf" -> new Update.RmsProp(0.9, 1e-3, true, 0.9, 0.01, 1);
            case "lars" -> new Update.Lars(0.9, 1e-3, 1e-8, 0.01, 1);
            default -> throw new IllegalArgumentException(name);
        };
    }

    @ParameterizedTest
    @ValueSource(strings = {"sgd", "nesterov", "adamw", "rmsprop", "rmsproptf", "lars"})
    void stepsAreTheReferences(String name) throws IOException {
        JsonNode file = new ObjectMapper().readTree(UpdateReferencesTest.class.getResource("updates.json"));
        check(name, file, file.get("runs").get(name), 0);
        check(name, file, file.get("runs").get(name + "-clipped"), file.get("clip").asDouble());
    }

    private static void check(String name, JsonNode file, JsonNode expected, double clip) {
        Update.Step op = optimizer(name);
        List<List<Array>> states = new ArrayList<>();
        List<Array> averages = new ArrayList<>();
        for (int t = 0; t < SIZES.length; t++) {
            List<Array> state = new ArrayList<>();
            int tensor = t;
            state.add(filled(SIZES[t], i -> Math.cos(2 + 5 * i + 13 * tensor)));
            op.slots().forEach(slot -> state.add(filled(SIZES[tensor], _ -> op.initial(slot))));
            states.add(state);
            averages.add(new Array(state.getFirst().type(), state.getFirst().data().clone()));
        }
        for (int s = 0; s < file.get("rates").size(); s++) {
            int step = s;
            double[] numbers = new double[Rates.SIZE];
            numbers[Rates.LEARNING_RATE] = file.get("rates").get(s).asDouble();
            numbers[Rates.STEP] = s + 1;
            Array rates = new Array(Rates.TYPE, numbers);
            List<Array> gradients = new ArrayList<>();
            for (int t = 0; t < SIZES.length; t++) {
                int tensor = t;
                gradients.add(filled(SIZES[t], i -> Math.sin(1 + 3 * i + 7 * tensor + 11 * step)));
            }
            Array factor = new Array(new Type(DType.F32, Shape.SCALAR), clip == 0 ? new double[] {1}
                    : Samples.run(new Clipping.GlobalNorm(clip), gradients).getFirst());
            for (int t = 0; t < SIZES.length; t++) {
                List<Array> in = new ArrayList<>(List.of(states.get(t).getFirst(), gradients.get(t)));
                in.addAll(states.get(t).subList(1, states.get(t).size()));
                in.add(rates);
                in.add(factor);
                Type type = in.getFirst().type();
                states.set(t, Samples.run(op, in).stream().map(d -> new Array(type, d)).toList());
                averages.set(t, new Array(type, Samples.run(new Update.Average(file.get("ema").asDouble()),
                        List.of(averages.get(t), states.get(t).getFirst(), rates)).getFirst()));
            }
        }
        for (int t = 0; t < SIZES.length; t++) {
            assertClose(states.get(t).getFirst().data(), expected.get("weights").get(t));
            assertClose(averages.get(t).data(), expected.get("averages").get(t));
        }
    }

    private static void assertClose(double[] actual, JsonNode expected) {
        for (int i = 0; i < actual.length; i++) {
            // PyTorch computes some of the optimizers' constants in single precision.
            assertThat(actual[i]).isCloseTo(expected.get(i).asDouble(), within(1e-9));
        }
    }

    private static Array filled(int n, java.util.function.IntToDoubleFunction element) {
        double[] data = new double[n];
        Arrays.setAll(data, element);
        return array(data, n);
    }
}
