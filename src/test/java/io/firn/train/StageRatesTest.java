package io.firn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.firn.error.UserError;
import io.firn.graph.State;
import io.firn.graph.Update;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import java.util.Map;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

/** Which parameters learn at which rate, and which decay. */
class StageRatesTest {
    @Test
    void stagesNearTheInputLearnSlower() {
        Map<String, Double> resnet = StageRates.of(Models.build("resnet18", ModelOptions.defaults()).graph(), 0.5);
        assertThat(resnet).containsEntry("fc.weight", 1.0).containsEntry("layer4.1.bn2.bias", 0.5)
                .containsEntry("layer1.0.conv1.weight", 0.0625).containsEntry("conv1.weight", 0.03125)
                .containsEntry("bn1.weight", 0.03125);
        Map<String, Double> net = StageRates.of(Models.build("efficientnet_b0", ModelOptions.defaults()).graph(), 0.9);
        assertThat(net).containsEntry("classifier.1.bias", 1.0).containsEntry("features.8.0.weight", 0.9);
        assertThat(net.get("features.0.0.weight")).isCloseTo(Math.pow(0.9, 9), within(1e-12));
        assertThat(StageRates.of(Models.build("resnet18", ModelOptions.defaults()).graph(), 1).values()).containsOnly(1.0);
    }

    @Test
    void normsAndBiasesAreLeftOutOfDecay() {
        Model m = Models.build("resnet20", ModelOptions.defaults());
        TrainOptions o = TrainOptionsTest.resolve(TrainOptionsTest.SMALL, "no-decay-norms", true, "nesterov", true);
        Function<State, Update> optimizer = o.update().optimizer(o.recipe(), m);
        assertThat(optimizer.apply(m.graph().state("bn1.weight"))).isEqualTo(new Update.Sgd(0.9, 0, true, 1));
        assertThat(optimizer.apply(m.graph().state("fc.bias"))).isEqualTo(new Update.Sgd(0.9, 0, true, 1));
        assertThat(optimizer.apply(m.graph().state("fc.weight"))).isEqualTo(new Update.Sgd(0.9, 5e-4, true, 1));
        TrainOptions adam = TrainOptionsTest.resolve(TrainOptionsTest.SMALL, "optimizer", "adamw", "nesterov", true);
        assertThatThrownBy(() -> adam.update().optimizer(adam.recipe(), m)).isInstanceOf(UserError.class)
                .hasMessageContaining("--nesterov is for --optimizer sgd");
    }

    @Test
    void imagesGrowInEqualPhases() {
        Progressive p = Progressive.of("128:224:4");
        assertThat(p.resolutions()).containsExactly(128, 160, 192, 224);
        assertThat(java.util.stream.IntStream.range(0, 10).map(e -> p.resolution(e, 10))).containsExactly(128, 128, 128, 160, 160,
                192, 192, 192, 224, 224);
        assertThat(Progressive.of("none")).isNull();
        for (String wrong : new String[] {"128", "224:128:4", "8:16:1", "a:b:c"}) {
            assertThatThrownBy(() -> Progressive.of(wrong)).isInstanceOf(UserError.class);
        }
        assertThat(Progressive.settle(Config.of(Map.of("progressive", "8:16:2"))).text("resolution")).contains("16");
        assertThatThrownBy(() -> Progressive.settle(Config.of(Map.of("progressive", "8:16:2", "resolution", 32))))
                .hasMessageContaining("another resolution");
    }
}
