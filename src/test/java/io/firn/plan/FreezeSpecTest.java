package io.firn.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.error.UserError;
import io.firn.graph.Graph;
import io.firn.graph.State;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.models.NearNames;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What {@code --freeze} freezes, and what it says of names that are wrong. */
class FreezeSpecTest {
    private static final Graph RESNET18 = graph("resnet18");
    private static final Graph B0 = graph("efficientnet_b0");

    private static Graph graph(String model) {
        return Models.build(model, ModelOptions.defaults()).graph();
    }

    private static List<String> parameters(Graph g) {
        return g.states(State.Kind.PARAMETER).stream().map(State::name).toList();
    }

    private static List<String> frozen(String spec, Graph g) {
        return List.copyOf(FreezeSpec.frozen(spec, g, NearNames::of));
    }

    private static List<String> trained(String spec, Graph g) {
        Set<String> frozen = Set.copyOf(frozen(spec, g));
        return parameters(g).stream().filter(p -> !frozen.contains(p)).toList();
    }

    @Test
    void noneFreezesNothingAndHeadAllButTheClassifier() {
        assertThat(frozen("none", RESNET18)).isEmpty();
        assertThat(trained("head", RESNET18)).containsExactly("fc.weight", "fc.bias");
        assertThat(trained("head", B0)).containsExactly("classifier.1.weight", "classifier.1.bias");
    }

    @Test
    void untilFreezesWhatIsUsedBefore() {
        assertThat(frozen("until:bn1", RESNET18)).containsExactly("conv1.weight");
        assertThat(frozen("until:layer1", RESNET18)).containsExactly("conv1.weight", "bn1.weight", "bn1.bias");
        assertThat(trained("until:layer4.1.bn2", RESNET18)).containsExactly("layer4.1.bn2.weight", "layer4.1.bn2.bias",
                "fc.weight", "fc.bias");
        assertThat(frozen("until:conv1", RESNET18)).isEmpty();
        assertThat(trained("until:avgpool", B0)).isEqualTo(trained("head", B0));
        assertThat(trained("until:classifier", B0)).isEqualTo(trained("head", B0));
        assertThat(frozen("until:features.1", B0)).containsExactly("features.0.0.weight", "features.0.1.weight",
                "features.0.1.bias");
    }

    @Test
    void namesMatchWholeComponentsOnly() {
        Graph deep = graph("resnet101");
        List<String> one = frozen("layer3.1", deep);
        assertThat(one).isNotEmpty().allMatch(p -> p.startsWith("layer3.1."));
        assertThat(frozen("layer3.1, layer3.10 ,conv1", deep)).hasSize(2 * one.size() + 1).startsWith("conv1.weight");
        assertThat(frozen("layer1.0.conv1.weight", deep)).containsExactly("layer1.0.conv1.weight");
    }

    @Test
    void aBatchNormIsFrozenAsAWhole() {
        Set<String> named = FreezeSpec.frozen("bn1.weight", RESNET18, NearNames::of);
        assertThat(named).containsExactly("bn1.weight");
        assertThat(FreezeSpec.besides(RESNET18, named)).containsExactly("bn1.bias");
        assertThat(FreezeSpec.besides(RESNET18, Set.copyOf(frozen("layer1", RESNET18)))).isEmpty();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
            "layer9 | no module is named 'layer9'; did you mean layer1 or layer2 or layer3?",
            "until:layer4.2 | no module is named 'layer4.2'; did you mean layer4.0 or layer4.1",
            "layer3.10 | no module is named 'layer3.10'; did you mean layer3.0 or layer3.1",
            "layer | no module is named 'layer'; did you mean layer1",
            "transformer | the outermost are conv1, bn1, layer1, layer2, layer3, layer4, fc",
            "maxpool | module 'maxpool' has no parameters",
            "until: | lacks a name", "layer1,,fc | lacks a name", "'' | lacks a name",
            "auto | does not choose by itself",
            "conv1,bn1,layer1,layer2,layer3,layer4,fc | leaves nothing to train"})
    void wrongNamesAreUsageErrors(String spec, String message) {
        assertThatThrownBy(() -> frozen(spec, RESNET18)).isInstanceOf(UserError.class).hasMessageContaining(message)
                .hasFieldOrPropertyWithValue("kind", UserError.Kind.USAGE);
    }
}
