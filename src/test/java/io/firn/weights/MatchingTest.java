package io.firn.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.error.UserError;
import io.firn.graph.Shape;
import io.firn.graph.State;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which files a network takes, what is put right and said, and what is refused. */
class MatchingTest {
    private static final ModelOptions SMALL = ModelOptions.defaults().withWidth(0.125).withClasses(10);

    private static Model model(ModelOptions o) {
        return Models.build("resnet18", o);
    }

    private static SequencedMap<String, Tensor> tensors(Model m) {
        SequencedMap<String, Tensor> map = new LinkedHashMap<>();
        Map<String, float[]> data = Initializer.initialize(m.graph(), 1, m.initialization()::sampler);
        m.graph().states().forEach(s -> map.put(s.name(), new Tensor(s.value().shape(), data.get(s.name()))));
        return map;
    }

    private static Matching match(Model m, SequencedMap<String, Tensor> tensors) {
        return Matching.match(m.graph(), new Weights(tensors, Map.of()));
    }

    @ParameterizedTest
    @ValueSource(strings = {"resnet20", "efficientnet_b0"})
    void theSameNetworkTakesEverything(String name) {
        Model m = Models.build(name, SMALL);
        SequencedMap<String, Tensor> t = tensors(m);
        t.put("bn1.num_batches_tracked", Tensor.scalar(3));
        Matching found = match(m, t);
        assertThat(found.messages()).isEmpty();
        assertThat(found.fresh()).isEmpty();
        assertThat(found.tensors().keySet()).containsExactlyElementsOf(
                m.graph().states().stream().map(State::name).toList());
        found.tensors().forEach((n, given) -> assertThat(given).isSameAs(t.get(n)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"resnet18", "efficientnet_b0"})
    void aHeadOfOtherClassesIsReplaced(String name) {
        Model m = Models.build(name, SMALL.withClasses(37));
        Matching found = match(m, tensors(Models.build(name, SMALL)));
        String head = name.equals("resnet18") ? "fc" : "classifier.1";
        assertThat(found.fresh()).containsExactlyInAnyOrder(head + ".weight", head + ".bias");
        assertThat(found.tensors()).doesNotContainKeys(head + ".weight", head + ".bias")
                .hasSize(m.graph().states().size() - 2);
        assertThat(found.messages()).containsExactly(
                head + ": a fresh classifier of 37 classes replaces the file's, which has 10");
    }

    @Test
    void theFirstConvolutionIsSummedForGrayImages() {
        SequencedMap<String, Tensor> t = tensors(model(SMALL));
        Matching found = match(model(SMALL.withChannels(1)), t);
        assertThat(found.messages()).containsExactly("conv1.weight: summed over its 3 channels for gray images");
        float[] colour = t.get("conv1.weight").data();
        float[] gray = found.tensors().get("conv1.weight").data();
        assertThat(gray).hasSize(colour.length / 3);
        for (int o = 0; o < 8; o++) {
            for (int k = 0; k < 49; k++) {
                int at = o * 147 + k;
                assertThat(gray[o * 49 + k]).isEqualTo(colour[at] + colour[at + 49] + colour[at + 98]);
            }
        }
        assertThatThrownBy(() -> match(model(SMALL), tensors(model(SMALL.withChannels(1))))).isInstanceOf(UserError.class)
                .hasMessageContaining("conv1.weight is [8x1x7x7] where [8x3x7x7] is wanted (--channels 1 makes the images gray)");
    }

    @Test
    void otherDifferencesAreListed() {
        SequencedMap<String, Tensor> t = tensors(model(SMALL));
        t.remove("bn1.bias");
        t.put("layer1.0.conv1.weight", new Tensor(Shape.of(1), new float[1]));
        t.put("head\n.weight", Tensor.scalar(1));
        assertThatThrownBy(() -> Matching.match(model(SMALL).graph(), new Weights(t, Map.of()), "a.safetensors"))
                .isInstanceOfSatisfying(UserError.class, e -> assertThat(e.kind()).isEqualTo(UserError.Kind.DATA))
                .hasMessage("a.safetensors: does not fit the model: missing bn1.bias; "
                        + "layer1.0.conv1.weight is [1] where [8x8x3x3] is wanted; unexpected 'head?.weight'");
        assertThatThrownBy(() -> match(model(SMALL), tensors(Models.build("efficientnet_b0", SMALL))))
                .isInstanceOf(UserError.class).hasMessageStartingWith("the weights: does not fit the model: missing conv1")
                .hasMessageEndingWith("more tensors");
        assertThatThrownBy(() -> match(model(SMALL), new LinkedHashMap<>())).isInstanceOf(UserError.class)
                .hasMessageEndingWith("and 92 more tensors");
    }

    @Test
    void aHeadOfOtherFeaturesIsNoHeadToReplace() {
        SequencedMap<String, Tensor> t = tensors(model(SMALL));
        t.put("fc.weight", new Tensor(Shape.of(5, 3), new float[15]));
        t.put("fc.bias", new Tensor(Shape.of(5), new float[5]));
        assertThatThrownBy(() -> match(model(SMALL), t)).isInstanceOf(UserError.class)
                .hasMessageContaining("fc.weight is [5x3]").hasMessageContaining("fc.bias is [5]");
    }
}
