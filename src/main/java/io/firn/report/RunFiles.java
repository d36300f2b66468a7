package io.firn.report;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.toml.TomlMapper;
import io.firn.error.UserError;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;

/**
 * What a run's folder holds, as far as it is there.
 *
 * @param name        what tells it from other runs
 * @param config      options as text, by name
 * @param environment a line for each process
 * @param resources   what its steps took of the machine; older runs do not say
 * @param remarks     what is missing or damaged, each as a sentence
 */
record RunFiles(String name, Optional<Curves> curves, SequencedMap<String, String> config, Optional<PlanFile> plan,
                Optional<Validation> validation, List<JsonNode> environment, Optional<Resources> resources,
                List<String> remarks) {
    private static final List<String> ANY = List.of("config.toml", "metrics.jsonl", "plan.json", "predictions.jsonl");
    private static final long LARGEST = 256L << 20;

    /**
     * Reads a folder.
     *
     * @throws UserError (data) where it is no run's
     */
    static RunFiles read(Path folder, String name) {
        if (!Files.isDirectory(folder)) {
            throw UserError.data("%s is no folder: give the folder of a run, such as runs/NAME", folder);
        }
        if (ANY.stream().noneMatch(f -> Files.isRegularFile(folder.resolve(f)))) {
            throw UserError.data("%s holds no run: there is none of %s in it; give a folder that firn train wrote", folder,
                    String.join(", ", ANY));
        }
        return new Reader(folder).read(name);
    }

    RunFiles withoutRemarks() {
        return new RunFiles(name, curves, config, plan, validation, environment, resources, List.of());
    }

    /** Reads a file's content; whatever it throws makes a remark. */
    @FunctionalInterface
    private interface Content<T> {
        T read(Path file) throws IOException;
    }

    private static final class Reader {
        private final Path folder;
        private final List<String> remarks = new ArrayList<>();

        Reader(Path folder) {
            this.folder = folder;
        }

        RunFiles read(String name) {
            Optional<Curves> curves = file("metrics.jsonl", "no curves", Curves::read);
            curves.ifPresent(c -> unreadable("metrics.jsonl", c.unreadable()));
            SequencedMap<String, String> config = file("config.toml", "no options", Reader::config)
                    .orElseGet(LinkedHashMap::new);
            Optional<PlanFile> plan = file("plan.json", "no plan", PlanFile::read);
            Optional<Validation> validation = Optional.empty();
            if (Files.exists(folder.resolve("predictions.jsonl")) || curves.isEmpty() || curves.get().epochs().stream()
                    .anyMatch(e -> !Double.isNaN(e.top1()))) {
                validation = file("predictions.jsonl", "no classes, calibration and images", Validation::read)
                        .flatMap(v -> v);
                validation.ifPresent(v -> unreadable("predictions.jsonl", v.unreadable()));
            } else {
                remarks.add("The run was not validated: no classes, calibration and images.");
            }
            List<JsonNode> environment = new ArrayList<>();
            file("environment.jsonl", "no environment and command", f -> JsonLines.read(f, environment::add));
            if (!Files.exists(folder.resolve("weights.safetensors"))) {
                remarks.add("The run has not come to its end: there is no weights.safetensors.");
            }
            Optional<Resources> resources = Files.exists(folder.resolve("resources.jsonl"))
                    ? file("resources.jsonl", "no input wait and resident memory", Resources::read) : Optional.empty();
            return new RunFiles(name, curves, config, plan, validation, environment, resources, remarks);
        }

        private <T> Optional<T> file(String name, String without, Content<T> content) {
            Path file = folder.resolve(name);
            try {
                if (!Files.isRegularFile(file)) {
                    remarks.add("%s is not there: %s.".formatted(name, without));
                    return Optional.empty();
                }
                if (Files.size(file) > LARGEST && !name.equals("metrics.jsonl")) {
                    remarks.add("%s is larger than 256 MB and was left out: %s.".formatted(name, without));
                    return Optional.empty();
                }
                return Optional.of(content.read(file));
            } catch (IOException e) {
                String why = String.valueOf(e.getMessage()).lines().findFirst().orElse("");
                remarks.add("%s cannot be read (%s): %s.".formatted(name, why, without));
                return Optional.empty();
            }
        }

        private void unreadable(String file, long lines) {
            if (lines > 0) {
                remarks.add("%s has %s that cannot be read (a killed run may end in one): left out.".formatted(file,
                        lines == 1 ? "a line" : Text.count(lines) + " lines"));
            }
        }

        private static SequencedMap<String, String> config(Path file) throws IOException {
            SequencedMap<String, String> config = new LinkedHashMap<>();
            TomlMapper.builder().build().readTree(file.toFile()).properties()
                    .forEach(e -> config.put(e.getKey(), e.getValue().isValueNode() ? e.getValue().asText()
                            : e.getValue().toString()));
            return config;
        }
    }
}
