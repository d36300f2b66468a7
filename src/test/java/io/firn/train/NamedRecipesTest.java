package io.firn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.error.UserError;
import io.firn.graph.Update;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The recipes by name: each resolves, and what is given beside it wins. */
class NamedRecipesTest {
    private static TrainOptions resolve(Map<String, ?> asked, Defaults.Facts facts) {
        Config c = NamedRecipes.under(Config.of(asked).over(Config.of(Map.of("data", "x", "model", "resnet20"))));
        return TrainOptions.resolve(c, facts);
    }

    @Test
    void everyNameIsACompleteRecipe() {
        for (String name : NamedRecipes.names()) {
            TrainOptions o = resolve(Map.of("recipe", name), TrainOptionsTest.LARGE);
            assertThat(o.run().recipe()).isEqualTo(name);
            // What it says is what is resolved.
            Config said = NamedRecipes.read(name);
            assertThat(said.keys()).hasSizeGreaterThan(8).allMatch(key -> said.agrees(key, o.config()));
        }
        assertThatThrownBy(() -> NamedRecipes.read("cifar")).isInstanceOf(UserError.class)
                .hasMessageStartingWith("--recipe cifar: there is cifar-resnet, imagenet-resnet");
    }

    @Test
    void cifarsIsThatOfThePaper() {
        TrainOptions o = resolve(Map.of("recipe", "cifar-resnet"), TrainOptionsTest.SMALL);
        assertThat(o.recipe().milestones()).containsExactly(82.0, 123.0);
        assertThat(o.recipe().update()).isEqualTo(new Update.Sgd(0.9, 1e-4, false, 1));
        assertThat(o.recipe().scheduledSteps(390)).isEqualTo(63_960);
        assertThat(resolve(Map.of("recipe", "cifar-resnet", "epochs", 20, "lr", 0.2), TrainOptionsTest.SMALL).recipe().milestones())
                .isEqualTo(List.of(10.0, 15.0));
        assertThat(resolve(Map.of("recipe", "cifar-resnet", "lr", 0.2), TrainOptionsTest.SMALL).recipe().lr()).isEqualTo(0.2);
    }

    @Test
    void efficientNetsRateFallsEvery24Epochs() {
        TrainOptions o = resolve(Map.of("recipe", "efficientnet"), TrainOptionsTest.LARGE);
        Schedule s = Schedule.of(o.recipe(), 100);
        assertThat(s.rate(99)).isLessThan(0.016);
        assertThat(s.rate(24 * 100)).isEqualTo(0.016 * Math.pow(0.97, 10));
        assertThat(s.rate(24 * 100 - 1)).isEqualTo(0.016 * Math.pow(0.97, 9));
        assertThat(o.recipe().update()).isEqualTo(new Update.RmsProp(0.9, 1e-3, true, 0.9, 1e-5, 1));
    }
}
