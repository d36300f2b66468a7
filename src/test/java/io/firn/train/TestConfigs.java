package io.firn.train;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.dataformat.toml.TomlMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;

/** A run's {@code config.toml} as options, as {@code --config} takes it. */
public record TestConfigs(Path run) {
    public Map<String, Object> options() throws IOException {
        return new TomlMapper().readValue(run.resolve("config.toml").toFile(), new TypeReference<>() {
        });
    }
}
