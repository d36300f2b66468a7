package io.firn.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.error.UserError;
import io.firn.graph.Node;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** The registry against torchvision's published sizes and the papers'. */
class ModelsTest {
    private static final Map<String, ModelInfo> INFO = Models.info().stream()
            .collect(Collectors.toMap(ModelInfo::name, Function.identity()));

    /** Parameters and multiply-adds (10⁹, to the digit) as torchvision 0.29.1 states them with its weights. */
    @ParameterizedTest
    @CsvSource({
            "resnet18, 11689512, 1.814, 224", "resnet34, 21797672, 3.664, 224", "resnet50, 25557032, 4.089, 224",
            "resnet101, 44549160, 7.801, 224", "resnet152, 60192808, 11.514, 224",
            "resnext50_32x4d, 25028904, 4.230, 224", "resnext101_32x8d, 88791336, 16.414, 224",
            "resnext101_64x4d, 83455272, 15.460, 224", "wide_resnet50_2, 68883240, 11.398, 224",
            "wide_resnet101_2, 126886696, 22.753, 224", "efficientnet_b0, 5288548, .386, 224",
            "efficientnet_b1, 7794184, .687, 240", "efficientnet_b2, 9109994, 1.088, 288",
            "efficientnet_b3, 12233232, 1.827, 300", "efficientnet_b4, 19341616, 4.394, 380",
            "efficientnet_b5, 30389784, 10.266, 456", "efficientnet_b6, 43040704, 19.068, 528",
            "efficientnet_b7, 66347960, 37.746, 600", "efficientnet_v2_s, 21458488, 8.366, 384",
            "efficientnet_v2_m, 54139356, 24.582, 480", "efficientnet_v2_l, 118515272, 56.080, 480"})
    void sizesAreTorchvisions(String name, long parameters, double billions, int resolution) {
        ModelInfo info = INFO.get(name);
        assertThat(info.parameters()).isEqualTo(parameters);
        assertThat(Math.round(info.multiplyAdds() / 1e6)).isEqualTo(Math.round(billions * 1e3));
        assertThat(info.resolution()).isEqualTo(resolution);
    }

    @Test
    void b2CostsWhatThePaperSaysAtThePapersResolution() {
        Model m = Models.build("efficientnet_b2", ModelOptions.defaults().withResolution(260));
        assertThat(Math.round(m.multiplyAdds() / 1e6)).isEqualTo(994);
    }

    /** He et al. 2015, table 6, with the affine parameters of batch norms; option A adds none, so plain nets are equal. */
    @ParameterizedTest
    @CsvSource({"20, 269722", "32, 464154", "44, 658586", "56, 853018", "110, 1727962"})
    void sizesOfNetsForCifar(int layers, long parameters) {
        assertThat(INFO.get("resnet" + layers)).isEqualTo(
                new ModelInfo("resnet" + layers, parameters, INFO.get("plain" + layers).multiplyAdds(), 32));
        assertThat(INFO.get("plain" + layers).parameters()).isEqualTo(parameters);
    }

    /** A plain net is the residual one without the projections of stages 2 to 4. */
    @ParameterizedTest
    @CsvSource({"18", "34"})
    void plainNetsLackTheProjections(int layers) {
        long projections = 64 * 128 + 128 * 256 + 256 * 512 + 2 * (128 + 256 + 512);
        assertThat(INFO.get("plain" + layers).parameters())
                .isEqualTo(INFO.get("resnet" + layers).parameters() - projections);
    }

    static List<String> names() {
        return Models.names();
    }

    @ParameterizedTest
    @MethodSource("names")
    void everyNodeHasANameOfItsOwnAndEveryBlockAnOutput(String name) {
        Model m = Models.build(name, ModelOptions.defaults().withBatch(2));
        assertThat(m.graph().nodes().stream().map(Node::name)).doesNotHaveDuplicates();
        assertThat(m.graph().prune()).isEqualTo(m.graph());
        assertThat(m.blocks()).allSatisfy(b -> assertThat(m.blockOutput(b).shape().n()).isEqualTo(2));
        assertThat(m.taps().lastEntry().getValue()).isEqualTo(m.blockOutput(m.blocks().getLast()));
        assertThat(m.graph().output("logits").shape().c()).isEqualTo(m.options().classes());
        assertThat(m.preset().crop()).isEqualTo(m.options().resolution());
    }

    @Test
    void unknownNamesAreAnsweredWithNearOnes() {
        assertThatThrownBy(() -> Models.build("ResNet-50", ModelOptions.defaults())).isInstanceOf(UserError.class)
                .hasMessageStartingWith("there is no model 'ResNet-50'; did you mean resnet50 or ");
        assertThatThrownBy(() -> Models.build("eficientnet-b3", ModelOptions.defaults()))
                .hasMessageContaining("efficientnet_b3");
        assertThatThrownBy(() -> Models.build("vgg", ModelOptions.defaults())).isInstanceOfSatisfying(UserError.class,
                e -> assertThat(e.kind()).isEqualTo(UserError.Kind.USAGE))
                .hasMessage("there is no model 'vgg' (`firn models` lists all)");
        assertThatThrownBy(() -> Models.build("%s", ModelOptions.defaults())).isInstanceOf(UserError.class);
    }

    @Test
    void distanceCountsEdits() {
        assertThat(NearNames.distance("kitten", "sitting")).isEqualTo(3);
        assertThat(NearNames.distance("", "abc")).isEqualTo(3);
        assertThat(NearNames.distance("same", "same")).isZero();
    }
}
