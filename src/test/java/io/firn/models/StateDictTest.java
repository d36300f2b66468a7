package io.firn.models;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.graph.Shape;
import io.firn.graph.State;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** States of a graph against whole state dictionaries of torchvision: names, shapes and order. */
class StateDictTest {

    @ParameterizedTest
    @ValueSource(strings = {"resnet18", "resnet50", "resnext50_32x4d", "efficientnet_b0", "efficientnet_v2_s"})
    void statesAreTorchvisions(String name) throws IOException {
        List<String> expected;
        try (InputStream in = getClass().getResourceAsStream(name + ".txt")) {
            expected = new String(in.readAllBytes(), StandardCharsets.UTF_8).lines()
                    .filter(l -> !l.contains(".num_batches_tracked\t")).toList();
        }
        Model m = Models.build(name, ModelOptions.defaults());
        assertThat(m.graph().states().stream().map(s -> s.name() + "\t" + tuple(s.value().shape())))
                .containsExactlyElementsOf(expected);
    }

    /** A shape as Python prints it. */
    private static String tuple(Shape s) {
        String inside = String.join(", ", s.dims().stream().map(String::valueOf).toList());
        return "(" + inside + (s.rank() == 1 ? ",)" : ")");
    }

    @Test
    void netsForCifarHaveNoParametersInTheirShortcuts() {
        Model m = Models.build("resnet20", ModelOptions.defaults());
        assertThat(m.graph().states().stream().map(State::name)).startsWith("conv1.weight", "bn1.weight", "bn1.bias",
                "bn1.running_mean", "bn1.running_var", "layer1.0.conv1.weight").endsWith("layer3.2.bn2.running_var",
                "fc.weight", "fc.bias").noneMatch(n -> n.contains("downsample"));
    }

    @Test
    void everyRunningStatisticIsUpdated() {
        for (String name : List.of("resnet50", "efficientnet_b0", "plain20")) {
            Model m = Models.build(name, ModelOptions.defaults());
            assertThat(m.graph().updates().keySet()).containsExactlyElementsOf(
                    m.graph().states(State.Kind.STATISTIC).stream().map(State::name).toList());
        }
    }
}
