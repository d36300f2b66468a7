package io.firn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where the launcher lies, seen from the program. */
class LauncherTest {
    @TempDir
    private Path root;

    private Path jar(String name) throws IOException {
        Path jar = root.resolve(name);
        Files.createDirectories(jar.getParent());
        return Files.createFile(jar);
    }

    @Test
    void inACheckoutAndInABundle() throws IOException {
        Path checkout = jar("checkout/target/firn/firn.jar");
        Path bundle = jar("bundle/lib/firn.jar");
        assertThat(Launcher.of(checkout)).isEmpty();
        for (String folder : new String[] {"checkout", "bundle"}) {
            assertThat(Files.createFile(root.resolve(folder + "/firn")).toFile().setExecutable(true)).isTrue();
        }
        assertThat(Launcher.of(checkout)).contains(root.resolve("checkout/firn"));
        assertThat(Launcher.of(bundle)).contains(root.resolve("bundle/firn"));
        assertThat(Launcher.of(root.resolve("checkout/target/classes"))).as("no jar").isEmpty();
    }
}
