package io.firn.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.firn.error.UserError;
import io.firn.graph.Counter;
import io.firn.graph.Drop;
import io.firn.graph.Normalization;
import io.firn.graph.Shape;
import io.firn.graph.Value;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What options do to a network: sizes, taps, scaling, random omission, batch norm's constants. */
class ModelOptionsTest {
    private static final ModelOptions DEFAULTS = ModelOptions.defaults();

    private static List<Shape> taps(String name, ModelOptions o) {
        return Models.build(name, o).taps().values().stream().map(Value::shape).toList();
    }

    @Test
    void tapsAreTheLastMapsOfEachStride() {
        Model resnet = Models.build("resnet50", DEFAULTS.withBatch(2));
        assertThat(resnet.taps().keySet()).containsExactly(4, 8, 16, 32);
        assertThat(taps("resnet50", DEFAULTS.withBatch(2))).containsExactly(Shape.of(2, 256, 56, 56),
                Shape.of(2, 512, 28, 28), Shape.of(2, 1024, 14, 14), Shape.of(2, 2048, 7, 7));
        assertThat(resnet.taps().get(8).name()).isEqualTo("layer2.3.relu_2");
        Model b0 = Models.build("efficientnet_b0", DEFAULTS);
        assertThat(b0.taps().keySet()).containsExactly(4, 8, 16, 32);
        assertThat(taps("efficientnet_b0", DEFAULTS)).containsExactly(Shape.of(1, 24, 56, 56), Shape.of(1, 40, 28, 28),
                Shape.of(1, 112, 14, 14), Shape.of(1, 320, 7, 7));
        assertThat(b0.taps().get(16).name()).isEqualTo("features.5.2.add");
        assertThat(taps("efficientnet_v2_s", DEFAULTS)).containsExactly(Shape.of(1, 48, 96, 96),
                Shape.of(1, 64, 48, 48), Shape.of(1, 160, 24, 24), Shape.of(1, 256, 12, 12));
        assertThat(Models.build("resnet20", DEFAULTS).taps().keySet()).containsExactly(1, 2, 4);
        assertThat(taps("plain20", DEFAULTS)).containsExactly(Shape.of(1, 16, 32, 32), Shape.of(1, 32, 16, 16),
                Shape.of(1, 64, 8, 8));
    }

    @Test
    void blocksAreListedInForwardOrder() {
        assertThat(Models.build("resnet18", DEFAULTS).blocks()).containsExactly("layer1.0", "layer1.1", "layer2.0",
                "layer2.1", "layer3.0", "layer3.1", "layer4.0", "layer4.1");
        assertThat(Models.build("efficientnet_b0", DEFAULTS).blocks()).hasSize(16).startsWith("features.1.0",
                "features.2.0", "features.2.1").endsWith("features.7.0");
    }

    static Stream<String> names() {
        return Models.names().stream();
    }

    @ParameterizedTest
    @MethodSource("names")
    void smallAndGrayImagesWork(String name) {
        for (int resolution : List.of(17, 28, 32)) {
            Model m = Models.build(name, DEFAULTS.withBatch(4).withChannels(1).withResolution(resolution).withClasses(7));
            assertThat(m.graph().input("image").shape()).isEqualTo(Shape.of(4, 1, resolution, resolution));
            assertThat(m.graph().output("logits").shape()).isEqualTo(Shape.of(4, 7));
            assertThat(m.preset().mean()).hasSize(1);
            assertThat(m.preset().std()).hasSize(1);
        }
    }

    @ParameterizedTest
    @MethodSource("names")
    void resolvedOptionsBuildTheSameNetworkAgain(String name) {
        for (ModelOptions o : List.of(DEFAULTS, DEFAULTS.withPhi(0.7), DEFAULTS.withWidth(0.5).withDepth(1.3))) {
            Model once = Models.build(name, o);
            assertThat(Models.build(name, once.options())).isEqualTo(once);
        }
    }

    @Test
    void ownValuesFillInWhatIsNotSaid() {
        ModelOptions cifar = Models.build("resnet20", DEFAULTS).options();
        assertThat(List.of(cifar.classes(), cifar.resolution(), cifar.channels(), cifar.batch()))
                .containsExactly(10, 32, 3, 1);
        assertThat(Models.build("resnet20", DEFAULTS.withClasses(100)).options().classes()).isEqualTo(100);
        ModelOptions b4 = Models.build("efficientnet_b4", DEFAULTS).options();
        assertThat(b4.classes()).isEqualTo(1000);
        assertThat(b4.dropout()).hasValue(0.4);
        assertThat(b4.dropPath()).hasValue(0.2);
        assertThat(b4.width()).hasValue(1.4);
        assertThat(b4.depth()).hasValue(1.8);
    }

    @Test
    void multipliersActOnB0sTable() {
        for (String base : List.of("efficientnet_b0", "efficientnet_b3")) {
            Model m = Models.build(base, DEFAULTS.withWidth(2.0).withDepth(3.1));
            assertThat(m.graph().parameterCount()).isEqualTo(66_347_960);
        }
        Model small = Models.build("efficientnet_b0", DEFAULTS.withWidth(0.25).withDepth(0.5));
        assertThat(small.taps().values().stream().map(v -> v.shape().c())).containsExactly(8, 16, 32, 80);
        assertThat(small.blocks()).hasSize(1 + 1 + 1 + 2 + 2 + 2 + 1);
        Model v2 = Models.build("efficientnet_v2_s", DEFAULTS.withWidth(0.5).withDepth(0.5));
        assertThat(v2.taps().values().stream().map(v -> v.shape().c())).containsExactly(24, 32, 80, 128);
    }

    @Test
    void multipliersActOnResNetsToo() {
        Model m = Models.build("resnet18", DEFAULTS.withWidth(0.3).withDepth(1.5));
        assertThat(m.taps().values().stream().map(v -> v.shape().c())).containsExactly(24, 40, 80, 152);
        assertThat(m.blocks()).hasSize(12);
        assertThat(Models.build("resnet20", DEFAULTS.withDepth(200 / 3.0)).graph().parameterCount())
                .as("ResNet-1202").isEqualTo(19_421_274);
        for (double width : List.of(0.01, 0.1, 1.7)) {
            Models.names().forEach(n -> Models.build(n, DEFAULTS.withResolution(32).withWidth(width)));
        }
    }

    @ParameterizedTest
    @CsvSource({"0, 224", "1, 258", "2, 296", "7, 596", "-1, 195"})
    void phiScalesAllThree(double phi, int resolution) {
        ModelOptions o = Models.build("efficientnet_b0", DEFAULTS.withPhi(phi)).options();
        assertThat(o.resolution()).isEqualTo(resolution);
        assertThat(o.depth()).hasValue(Math.pow(1.2, phi));
        assertThat(o.width()).hasValue(Math.pow(1.1, phi));
        assertThat(Models.build("efficientnet_b0", DEFAULTS.withPhi(phi).withResolution(64)).options().resolution())
                .isEqualTo(64);
        assertThat(Models.build("efficientnet_b4", DEFAULTS.withPhi(phi)).options().resolution()).isEqualTo(resolution);
    }

    @Test
    void dropPathGrowsWithDepthAndSparesBlocksWithoutShortcut() {
        Model m = Models.build("efficientnet_b0", DEFAULTS.withBatch(2));
        Map<String, Drop> drops = drops(m);
        assertThat(drops.keySet()).containsExactly("features.2.1.stochastic_depth", "features.3.1.stochastic_depth",
                "features.4.1.stochastic_depth", "features.4.2.stochastic_depth", "features.5.1.stochastic_depth",
                "features.5.2.stochastic_depth", "features.6.1.stochastic_depth", "features.6.2.stochastic_depth",
                "features.6.3.stochastic_depth", "classifier.0");
        assertThat(drops.get("features.6.3.stochastic_depth")).isEqualTo(new Drop.DropPath(0.2 * 14 / 16, 14));
        assertThat(drops.get("classifier.0")).isEqualTo(new Drop.Dropout(0.2, 16));
        assertThat(m.graph().input("counter").type()).isEqualTo(Counter.TYPE);
    }

    private static Map<String, Drop> drops(Model m) {
        Map<String, Drop> drops = new LinkedHashMap<>();
        m.graph().nodes().forEach(n -> {
            if (n.op() instanceof Drop d) {
                drops.put(n.name(), d);
            }
        });
        return drops;
    }

    @Test
    void withoutDropsThereIsNoCounter() {
        for (Model m : List.of(Models.build("resnet50", DEFAULTS),
                Models.build("efficientnet_b0", DEFAULTS.withDropout(0).withDropPath(0)))) {
            assertThat(drops(m)).isEmpty();
            assertThat(m.graph().inputs()).extracting(Value::name).containsExactly("image");
        }
        assertThat(drops(Models.build("resnet18", DEFAULTS.withDropout(0.5).withDropPath(0.1)))).hasSize(8)
                .containsEntry("dropout", new Drop.Dropout(0.5, 8))
                .containsEntry("layer4.1.stochastic_depth", new Drop.DropPath(0.1 * 7 / 8, 7));
    }

    @ParameterizedTest
    @CsvSource({"resnet18, 1e-5, 0.1", "resnet20, 1e-5, 0.1", "efficientnet_b0, 1e-5, 0.1", "efficientnet_b4, 1e-5, 0.1",
            "efficientnet_b5, 1e-3, 0.01", "efficientnet_b7, 1e-3, 0.01", "efficientnet_v2_s, 1e-3, 0.1",
            "efficientnet_v2_l, 1e-3, 0.1"})
    void batchNormsConstantsBelongToTheModel(String name, double eps, double momentum) {
        assertThat(Models.build(name, DEFAULTS).graph().nodes().stream().map(n -> n.op())
                .filter(Normalization.class::isInstance).distinct())
                .containsExactly(new Normalization.BatchNorm(eps, momentum));
    }

    @Test
    void presetsAreTorchvisions() {
        assertThat(Models.build("resnet50", DEFAULTS).preset()).isEqualTo(new Preset(256, 224,
                List.of(0.485, 0.456, 0.406), List.of(0.229, 0.224, 0.225)));
        assertThat(Models.build("resnext101_64x4d", DEFAULTS).preset().resize()).isEqualTo(232);
        assertThat(Models.build("efficientnet_v2_l", DEFAULTS).preset().mean()).containsExactly(0.5, 0.5, 0.5);
        Preset scaled = Models.build("resnet50", DEFAULTS.withResolution(112).withChannels(1)).preset();
        assertThat(scaled.resize()).isEqualTo(128);
        assertThat(scaled.mean().getFirst()).isCloseTo(0.449, within(1e-9));
    }

    static Stream<ModelOptions> senseless() {
        return Stream.of(DEFAULTS.withBatch(0), DEFAULTS.withClasses(-1), DEFAULTS.withChannels(2),
                DEFAULTS.withResolution(-1), DEFAULTS.withResolution(16), DEFAULTS.withResolution(1 << 20),
                DEFAULTS.withDropout(1), DEFAULTS.withDropPath(-0.1), DEFAULTS.withWidth(0), DEFAULTS.withWidth(Double.NaN),
                DEFAULTS.withDepth(1e9), DEFAULTS.withPhi(Double.POSITIVE_INFINITY), DEFAULTS.withPhi(1).withWidth(2),
                DEFAULTS.withPhi(40), DEFAULTS.withPhi(-200));
    }

    @ParameterizedTest
    @MethodSource("senseless")
    void senselessOptionsAreUsageErrors(ModelOptions o) {
        for (String name : List.of("resnet18", "efficientnet_b0")) {
            assertThatThrownBy(() -> Models.build(name, o)).isInstanceOfSatisfying(UserError.class,
                    e -> assertThat(e.kind()).isEqualTo(UserError.Kind.USAGE)).message().doesNotContain("\n");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"plain20", "plain34"})
    void plainNetsHaveNoPathToDrop(String name) {
        assertThatThrownBy(() -> Models.build(name, DEFAULTS.withDropPath(0.1))).isInstanceOf(UserError.class)
                .hasMessageContaining("no shortcuts");
    }
}
