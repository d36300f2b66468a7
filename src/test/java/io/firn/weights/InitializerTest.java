package io.firn.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.firn.graph.State;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import java.util.Map;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;

/** Distributions against torchvision's rules, and that a tensor depends on its seed and name alone. */
class InitializerTest {

    private static SequencedMap<String, float[]> fresh(Model m, long seed) {
        return Initializer.initialize(m.graph(), seed, m.initialization()::sampler);
    }

    private static void assertNormal(float[] data, double deviation) {
        assertThat(moment(data, 1)).isCloseTo(0, within(5 * deviation / Math.sqrt(data.length)));
        assertThat(Math.sqrt(moment(data, 2))).isCloseTo(deviation, within(5 * deviation / Math.sqrt(2.0 * data.length)));
        // A normal's fourth moment is 3 times the squared second; a uniform's 1.8 times.
        assertThat(moment(data, 4) / Math.pow(moment(data, 2), 2)).isCloseTo(3, within(5 * Math.sqrt(96.0 / data.length)));
    }

    private static void assertUniform(float[] data, double bound) {
        double largest = 0;
        for (float x : data) {
            largest = Math.max(largest, Math.abs(x));
        }
        assertThat(largest).isBetween(bound * (1 - 20.0 / data.length), bound);
        assertThat(moment(data, 1)).isCloseTo(0, within(5 * bound / Math.sqrt(3.0 * data.length)));
        assertThat(moment(data, 2)).isCloseTo(bound * bound / 3, within(5 * bound * bound * 0.3 / Math.sqrt(data.length)));
    }

    private static double moment(float[] data, int power) {
        double sum = 0;
        for (float x : data) {
            sum += Math.pow(x, power);
        }
        return sum / data.length;
    }

    @Test
    void resnetsAreAsInTorchvision() {
        Map<String, float[]> w = fresh(Models.build("resnet18", ModelOptions.defaults()), 1);
        assertNormal(w.get("conv1.weight"), Math.sqrt(2.0 / (64 * 49)));
        assertNormal(w.get("layer2.0.conv1.weight"), Math.sqrt(2.0 / (128 * 9)));
        assertNormal(w.get("layer2.0.downsample.0.weight"), Math.sqrt(2.0 / 128));
        assertUniform(w.get("fc.weight"), 1 / Math.sqrt(512));
        assertUniform(w.get("fc.bias"), 1 / Math.sqrt(512));
        assertThat(w.get("bn1.weight")).containsOnly(1).hasSize(64);
        assertThat(w.get("bn1.bias")).containsOnly(0);
        assertThat(w.get("bn1.running_mean")).containsOnly(0);
        assertThat(w.get("bn1.running_var")).containsOnly(1);
    }

    @Test
    void efficientNetsAreAsInTorchvision() {
        Map<String, float[]> w = fresh(Models.build("efficientnet_b0", ModelOptions.defaults()), 1);
        assertNormal(w.get("features.6.1.block.1.0.weight"), Math.sqrt(2.0 / (1152 * 25)));
        assertNormal(w.get("features.6.1.block.2.fc1.weight"), Math.sqrt(2.0 / 48));
        assertNormal(w.get("features.6.1.block.2.fc2.weight"), Math.sqrt(2.0 / 1152));
        assertThat(w.get("features.6.1.block.2.fc1.bias")).containsOnly(0);
        assertUniform(w.get("classifier.1.weight"), 1 / Math.sqrt(1000));
        assertThat(w.get("classifier.1.bias")).containsOnly(0).hasSize(1000);
    }

    @Test
    void netsForCifarAreKaimingNormal() {
        Map<String, float[]> w = fresh(Models.build("plain20", ModelOptions.defaults()), 1);
        assertNormal(w.get("layer3.0.conv1.weight"), Math.sqrt(2.0 / (64 * 9)));
        assertNormal(w.get("fc.weight"), Math.sqrt(2.0 / 64));
        assertThat(w.get("fc.bias")).containsOnly(0);
    }

    @Test
    void everyModelHasARuleForEveryState() {
        for (String name : Models.names()) {
            Model m = Models.build(name, ModelOptions.defaults().withWidth(0.125).withDepth(0.3));
            assertThat(fresh(m, 3).keySet()).containsExactlyElementsOf(
                    m.graph().states().stream().map(State::name).toList());
        }
    }

    @Test
    void tensorsDependOnSeedAndNameAlone() {
        Model ten = Models.build("resnet20", ModelOptions.defaults());
        Model hundred = Models.build("resnet56", ModelOptions.defaults().withClasses(100));
        Map<String, float[]> a = fresh(ten, 5);
        Map<String, float[]> b = fresh(hundred, 5);
        assertThat(a.get("layer1.0.conv1.weight")).containsExactly(b.get("layer1.0.conv1.weight"));
        assertThat(a.get("layer1.0.conv1.weight")).isNotEqualTo(a.get("layer1.0.conv2.weight"))
                .isNotEqualTo(fresh(ten, 6).get("layer1.0.conv1.weight"));
        Map<String, float[]> head = Initializer.initialize(ten.graph(), 5, ten.initialization()::sampler,
                n -> n.startsWith("fc."));
        assertThat(head.keySet()).containsExactly("fc.weight", "fc.bias");
        assertThat(head.get("fc.weight")).containsExactly(a.get("fc.weight"));
    }

    /** Published test values of the hash (draft-eastlake-fnv). */
    @Test
    void hashIsFnv1a() {
        assertThat(Initializer.fnv1a64("")).isEqualTo(0xcbf29ce484222325L);
        assertThat(Initializer.fnv1a64("a")).isEqualTo(0xaf63dc4c8601ec8cL);
        assertThat(Initializer.fnv1a64("foobar")).isEqualTo(0x85944171f73967e8L);
    }
}
