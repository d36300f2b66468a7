package io.firn.finetune;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.firn.Firn;
import io.firn.error.UserError;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.train.Config;
import io.firn.train.Devices;
import io.firn.train.TinyData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is measured and proposed on a tiny data set, and what is refused. */
class AdvisorTest {
    @TempDir
    static Path shared;
    private static Path data;
    private static Path first;

    @BeforeAll
    static void preTrain() {
        data = TinyData.idx(shared.resolve("data"), 96, 24, 4);
        first = shared.resolve("first");
        Firn.train(options("epochs", 3, "depth", 0.3, "model", "resnet20"), first);
    }

    private static Map<String, Object> options(Object... more) {
        Map<String, Object> options = new HashMap<>(Map.of("data", data.toString(), "batch", 8, "precision", "fp32",
                "deterministic", true, "threads", 2, "augment", "none"));
        for (int i = 0; i < more.length; i += 2) {
            options.put((String) more[i], more[i + 1]);
        }
        return options;
    }

    private static Advice advise(OptionalDouble budget, boolean measure, Object... more) {
        Map<String, Object> options = options(more);
        options.putIfAbsent("init", first.toString());
        return Firn.advise(Config.of(options), Devices::local, new Advisor.How(budget, measure, "cpu"), _ -> { });
    }

    @Test
    void theSameDataAreSimilar() throws IOException {
        Advice a = advise(OptionalDouble.empty(), true);
        assertThat(a.model()).as("as the weights say").isEqualTo("resnet20");
        assertThat(a.first()).isEmpty();
        assertThat(a.sampled()).isEqualTo(96);
        assertThat(a.similarity().stream().map(Similarity::tap)).containsExactly("layer1.0", "layer2.0", "fc");
        assertThat(a.similarity().getLast().ridge()).isGreaterThan(0.9);
        assertThat(a.quadrant()).isEqualTo("large and similar");
        assertThat(a.freeze()).isEqualTo("until:layer2");
        assertThat(a.shift()).hasSize(7).allSatisfy(s -> assertThat(s.floor()).isBetween(0.0, 0.1));
        assertThat(a.shift().getFirst().d()).as("the statistics are those of these data").isLessThan(0.3);
        assertThat(a.arms().stream().map(Arm::name)).contains(Arm.HEAD, Arm.LAST_STAGE, Arm.HALF, Arm.ALL, Arm.SCRATCH);
        Arm head = a.arms().getFirst();
        Arm all = a.arms().stream().filter(m -> m.name().equals(Arm.ALL)).findFirst().orElseThrow();
        assertThat(head.trained()).isEqualTo(64 * 4 + 4);
        assertThat(head.launches() + head.removed()).isEqualTo(all.launches());
        assertThat(head.memory()).isLessThan(all.memory());
        assertThat(head.measuredMs()).isPositive();
        JsonNode json = new ObjectMapper().valueToTree(a);
        assertThat(json.get("arms").get(0).get("trainable_parameters").asLong()).isEqualTo(260);
        assertThat(a.html()).contains("What to freeze", "--freeze until:layer2", "layer2.0");
    }

    @Test
    void wrongPreprocessingIsToldFirst() {
        Advice a = advise(OptionalDouble.empty(), false, "mean", List.of(0.0), "std", List.of(1 / 255.0), "freeze", "layer2");
        assertThat(a.first().getFirst()).contains("another way", "ImageNet's mean and deviation",
                "--mean 0.4490 --std 0.2260");
        assertThat(a.input().used()).isGreaterThan(3 * a.input().others().getFirst().d());
        assertThat(a.arms()).allSatisfy(arm -> assertThat(arm.measuredMs()).isNull());
        assertThat(a.arms().stream().filter(arm -> arm.name().equals("asked for")).map(Arm::freeze)).containsExactly("layer2");
    }

    @Test
    void statisticsOfFewStepsAreNoWrongPreprocessing() {
        Path few = shared.resolve("few");
        Firn.train(options("max-steps", 6, "depth", 0.3, "model", "resnet20", "lr", 0.001), few);
        Advice a = advise(OptionalDouble.empty(), false, "init", few.toString());
        assertThat(a.first().getFirst()).contains("running statistics are those of about 6 steps");
        assertThat(a.input().suspects()).isFalse();
    }

    @Test
    void shortTrainingsConfirmOrOverrule() {
        Advice a = advise(OptionalDouble.of(6), true, "epochs", 1, "patience", 1);
        assertThat(a.confirmation().rounds()).hasSize(10);
        assertThat(a.freeze()).isEqualTo(a.confirmation().freeze());
        assertThat(a.why()).contains("short trainings");
        Confirmation.Trial last = a.confirmation().rounds().getLast();
        assertThat(a.confirmation().rounds().stream().filter(t -> t.round() == 0 && t.name().equals(last.name())))
                .hasSize(1).allSatisfy(t -> assertThat(t.steps()).isLessThan(last.steps()));
    }

    private static void refused(UserError.Kind kind, String message, Object... more) {
        assertThatThrownBy(() -> advise(OptionalDouble.empty(), false, more)).isInstanceOf(UserError.class)
                .hasMessageContaining(message).satisfies(e -> assertThat(((UserError) e).kind()).isEqualTo(kind));
    }

    @Test
    void whatAllowsNoAdviceIsRefused() throws IOException {
        refused(UserError.Kind.DATA, "at least two classes", "data",
                TinyData.idx(shared.resolve("one-class"), 12, 0, 1).toString());
        refused(UserError.Kind.DATA, "a single image of class 3", "data",
                TinyData.idx(shared.resolve("single"), 7, 0, 4).toString());
        refused(UserError.Kind.DATA, "no such file", "init", shared.resolve("nothing.pth").toString());
        refused(UserError.Kind.USAGE, "no module is named 'layer7'", "freeze", "layer7");
        assertThatThrownBy(() -> Advisor.completed(Config.of(options()))).hasMessageContaining("--init is missing");
        assertThatThrownBy(() -> advise(OptionalDouble.of(0), false)).hasMessageContaining("--budget 0.0");
        assertThat(Files.exists(first.resolve("freeze.json"))).isFalse();
    }

    @Test
    void cutsAreBetweenBlocks() {
        var resnet = Models.build("resnet50", ModelOptions.defaults());
        assertThat(Cuts.stages(resnet)).containsExactly("layer1", "layer2", "layer3", "layer4");
        assertThat(Cuts.half(resnet)).isEqualTo("layer3");
        assertThat(Cuts.taps(resnet)).containsSequence("layer1.0", "layer1.2", "layer2.1").endsWith("layer4.1", "fc");
        assertThat(Cuts.after(resnet, "layer3.5")).as("as the last stage is named").isEqualTo("until:layer4");
        assertThat(Cuts.after(resnet, "layer3.4")).isEqualTo("until:layer3.5");
        assertThat(Cuts.after(resnet, "fc")).isEqualTo("head");
        var efficient = Models.build("efficientnet_b0", ModelOptions.defaults());
        assertThat(Cuts.lastStage(efficient)).isEqualTo("features.7");
        assertThat(Cuts.half(efficient)).isEqualTo("features.5");
        assertThat(Cuts.taps(efficient)).contains("features.7.0", "classifier.1");
    }

    @Test
    void theQuadrantsAreThose() {
        var model = Models.build("resnet20", ModelOptions.defaults());
        var curve = new LearningCurve(List.of(new LearningCurve.Point(0.5, 5, 0.5), new LearningCurve.Point(1, 10, 0.6)));
        List<Similarity> similar = List.of(tap("layer1.2", 0.6, -4), tap("fc", 0.9, 0));
        List<Similarity> different = List.of(tap("layer1.2", 0.9, 4), tap("fc", 0.6, 0));
        Chooser chooser = new Chooser(1, 50, 20_000, 0.1);
        assertThat(chooser.choose(model, similar, curve, 100, 10).freeze()).isEqualTo("head");
        assertThat(chooser.choose(model, different, curve, 100, 10).freeze()).isEqualTo("until:layer2");
        assertThat(chooser.choose(model, similar, curve, 5_000, 10).freeze()).isEqualTo("until:layer2");
        assertThat(chooser.choose(model, different, curve, 5_000, 10).freeze()).isEqualTo("none");
        assertThat(chooser.choose(model, different, curve, 5_000, 10).why()).contains("train everything", "layer1.2");
    }

    @Test
    void weightsThatAreWorthNothingAreLeftOut() {
        var model = Models.build("resnet20", ModelOptions.defaults());
        var curve = new LearningCurve(List.of(new LearningCurve.Point(0.5, 5, 0.5), new LearningCurve.Point(1, 10, 0.6)));
        Chooser chooser = new Chooser(1, 50, 20_000, 0.05);
        // The random net tells 10 %. Of 100 images, 4 points more and less are within two standard errors.
        for (double ridge : new double[] {0.08, 0.1, 0.14}) {
            Chooser.Choice c = chooser.choose(model, List.of(tap("fc", ridge, 0)), curve, 100, 10);
            assertThat(c.fromScratch()).as("%s", ridge).isFalse();
            assertThat(c.why()).contains("that the weights are worth more than random ones does not show");
        }
        var many = new LearningCurve(List.of(new LearningCurve.Point(0.5, 250, 0.1), new LearningCurve.Point(1, 500, 0.1)));
        Chooser.Choice c = chooser.choose(model, List.of(tap("fc", 0.1, 0)), many, 5_000, 10);
        assertThat(c.fromScratch()).isTrue();
        assertThat(c.freeze()).isEqualTo("none");
        assertThat(c.why()).contains("hardly better than random ones do (10.0 % and 10.0 % of 5000 images, so at most 1.2 points)",
                "from scratch", "--budget");
        assertThat(chooser.choose(model, List.of(tap("fc", 0.14, 0)), many, 5_000, 10).fromScratch()).isFalse();
        assertThat(chooser.keepingWeights().choose(model, List.of(tap("fc", 0.1, 0)), many, 5_000, 10).fromScratch()).isFalse();
        // Where random features leave 1 point, half of it is a reason to keep the weights.
        List<Similarity> easy = List.of(new Similarity("fc", 0.996, 0.9, 0, 0.99, 0));
        assertThat(chooser.choose(model, easy, many, 5_000, 10).fromScratch()).isFalse();
    }

    @Test
    void goodWeightsAreNeverLeftOut() {
        var model = Models.build("resnet20", ModelOptions.defaults());
        // 200 images of 10 classes, as told by weights that are worth something, on tasks hard and easy.
        var curve = new LearningCurve(List.of(new LearningCurve.Point(0.5, 10, 0.5), new LearningCurve.Point(1, 20, 0.6)));
        for (double random = 0.1; random < 1; random += 0.1) {
            for (double ridge = random; ridge <= 1; ridge += 0.05) {
                List<Similarity> taps = List.of(new Similarity("fc", ridge, ridge, 0, random, 0));
                assertThat(Chooser.DEFAULT.choose(model, taps, curve, 200, 10).fromScratch())
                        .as("%.2f with the weights, %.2f without", ridge, random).isFalse();
            }
        }
    }

    @Test
    void aGpuThatIsNotHereIsPricedByPlansAlone() {
        Map<String, Object> options = options("init", first.toString(), "precision", "fp16");
        Advice a = Firn.advise(Config.of(options), Devices::local, new Advisor.How(OptionalDouble.empty(), true, "h100"),
                _ -> { });
        assertThat(a.target()).isEqualTo("h100");
        assertThat(a.precision()).isEqualTo("fp16");
        assertThat(a.arms()).allSatisfy(arm -> {
            assertThat(arm.measuredMs()).isNull();
            assertThat(arm.predictedMs()).isBetween(1e-3, 10.0);
        });
        assertThat(a.arms().getFirst().removed()).isPositive();
        assertThatThrownBy(() -> new Advisor.How(OptionalDouble.of(9), true, "h100")).hasMessageContaining("--target h100");
        assertThatThrownBy(() -> Firn.advise(Config.of(options), Devices::local,
                new Advisor.How(OptionalDouble.empty(), true, "h10"), _ -> { })).hasMessageContaining("h100");
    }

    private static Similarity tap(String name, double ridge, double errors) {
        return new Similarity(name, ridge, ridge, 0, 0.1, errors);
    }
}
