package io.firn.train;

import io.firn.error.UserError;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** Finds the weight file that {@code --init} means. */
final class WeightFiles {
    private WeightFiles() {
    }

    /**
     * The file itself, or a run folder's best, else last, weights.
     *
     * @throws UserError (data) where there are none
     */
    static Path find(Path init) {
        if (!Files.isDirectory(init)) {
            if (!Files.exists(init)) {
                throw UserError.data("--init %s: no such file or run folder", init);
            }
            return init;
        }
        return Stream.of("best.safetensors", "weights.safetensors").map(init::resolve).filter(Files::exists).findFirst()
                .orElseThrow(() -> UserError.data("--init %s: this folder holds neither best.safetensors nor "
                        + "weights.safetensors", init));
    }
}
