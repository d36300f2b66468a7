package io.firn.cli;

import io.firn.error.UserError;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;

/** The {@code firn} that has started this process, for other processes to start by. */
final class Launcher {
    private Launcher() {
    }

    /**
     * Its file.
     *
     * @throws UserError (usage) where another program has started Java
     */
    static Path path() {
        try {
            Path code = Path.of(Main.class.getProtectionDomain().getCodeSource().getLocation().toURI());
            return of(code).orElseThrow(() -> UserError.usage(
                    "this is not the firn launcher's process: give the program on the nodes by --firn FILE"));
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    /** By the jar: {@code target/firn/firn.jar} of a checkout, {@code lib/firn.jar} of a bundle. */
    static Optional<Path> of(Path jar) {
        return Stream.of("../../../firn", "../../firn").map(f -> jar.resolve(f).normalize())
                .filter(f -> Files.isRegularFile(jar) && Files.isRegularFile(f) && Files.isExecutable(f)).findFirst();
    }
}
