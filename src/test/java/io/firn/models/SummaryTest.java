package io.firn.models;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The layer table adds up. */
class SummaryTest {
    @ParameterizedTest
    @ValueSource(strings = {"resnet18", "resnext50_32x4d", "efficientnet_b0", "efficientnet_v2_s", "plain20"})
    void layersSumToTheModel(String name) {
        Model model = Models.build(name, ModelOptions.defaults().withBatch(3));
        Summary s = Summary.of(model);
        assertThat(s.layers().stream().mapToLong(Summary.Layer::parameters).sum()).isEqualTo(s.parameters())
                .isEqualTo(model.graph().parameterCount());
        assertThat(s.layers().stream().mapToLong(Summary.Layer::multiplyAdds).sum()).isEqualTo(s.multiplyAdds())
                .isEqualTo(model.multiplyAdds());
        assertThat(s.layers().getLast().output()).isEqualTo(List.of(3, s.classes()));
    }
}
