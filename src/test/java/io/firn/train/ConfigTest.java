package io.firn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.firn.error.UserError;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConfigTest {
    @TempDir
    Path folder;

    private Path file(String text) throws IOException {
        return Files.writeString(folder.resolve("c.toml"), text);
    }

    private UserError refused(String text) throws IOException {
        Path file = file(text);
        return catchThrowableOfType(UserError.class, () -> TrainOptions.read(file));
    }

    @Test
    void theCommandLineWins() throws IOException {
        Config file = TrainOptions.read(file("# mine\nepochs = 3\nlr = 0.5\nmilestones = [1, 2.5]\nno-shuffle = true\n"));
        Config both = Config.of(Map.of("epochs", 7)).over(file);
        assertThat(both.text("epochs")).hasValue("7");
        assertThat(both.text("lr")).hasValue("0.5");
        assertThat(both.text("milestones")).hasValue("[1,2.5]");
        assertThat(both.text("gamma")).isEmpty();
    }

    @Test
    void anUnknownKeyIsNamedWithNearOnes() throws IOException {
        UserError e = refused("epochs = 3\n\nwarm-up-epochs = 1\n");
        assertThat(e).hasMessage(folder.resolve("c.toml")
                + ":3: there is no option 'warm-up-epochs'; did you mean warmup-epochs?");
        assertThat(e.kind()).isEqualTo(UserError.Kind.USAGE);
        assertThat(refused("[train]\nlr = 1\n")).hasMessageContaining(":1: there is no option 'train'");
    }

    @Test
    void brokenTomlIsOneLineWithItsNumber() throws IOException {
        for (String text : List.of("lr = 0.1\nepochs = \n", "lr = 0.1\n= 3", "lr = 0.1\nlr = 0.2\n", "a\nb = 'torn")) {
            UserError e = refused(text);
            assertThat(e.kind()).isEqualTo(UserError.Kind.DATA);
            assertThat(e.getMessage()).matches(".*c\\.toml:[123]: no valid TOML: .*");
        }
        assertThat(refused("lr = " + "[".repeat(200_000)).kind()).isEqualTo(UserError.Kind.DATA);
        assertThat(refused(" ".repeat(1 << 21))).hasMessageContaining("too large");
    }

    @Test
    void noFileMakesItFailOtherwise() throws IOException {
        Random random = new Random(1);
        for (int i = 0; i < 200; i++) {
            byte[] bytes = new byte[random.nextInt(60)];
            random.nextBytes(bytes);
            if (i % 2 == 0) {
                for (int j = 0; j < bytes.length; j++) {
                    bytes[j] = (byte) "lr=[]{}\"'.#\n0123-:T ".charAt(Math.floorMod(bytes[j], 20));
                }
            }
            Path file = Files.write(folder.resolve("r.toml"), bytes);
            try {
                TrainOptions.read(file);
            } catch (UserError e) {
                assertThat(e.getMessage()).contains("r.toml");
            }
        }
        assertThat(catchThrowableOfType(UserError.class, () -> TrainOptions.read(folder)).kind())
                .isEqualTo(UserError.Kind.DATA);
    }

    @Test
    void agreementIsByValue() {
        Config a = Config.of(Map.of("lr", 1, "mean", List.of(0.5, 1), "optimizer", "SGD", "resize", 256));
        Config b = Config.of(Map.of("lr", 1.0, "mean", List.of(0.5, 1.0), "optimizer", "sgd", "resize", "256"));
        for (String key : List.of("lr", "mean", "optimizer", "resize")) {
            assertThat(a.agrees(key, b)).as(key).isTrue();
        }
        assertThat(a.agrees("mean", Config.of(Map.of("mean", List.of(0.5, 2))))).isFalse();
    }
}
