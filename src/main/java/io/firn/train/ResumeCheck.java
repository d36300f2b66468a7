package io.firn.train;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.firn.error.UserError;
import io.firn.weights.Safetensors;
import io.firn.weights.Tensor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * Proves exact resume on a user's own options: a training is killed some steps after a checkpoint, without warning, and
 * resumed; another with the same options is not. Both must come to the same bits: weights, the optimizer's states, averages
 * and running statistics, and to the same losses at every step.
 */
public final class ResumeCheck {
    private static final int STEPS_BEYOND = 2;
    private static final int POLL_MS = 20;
    private static final int SIGKILL = 137;

    private final Config options;
    private final List<String> program;
    private final Path folder;
    private final Consumer<String> say;

    /**
     * What was found.
     *
     * @param steps      of either training
     * @param checkpoint step that the killed one went on from
     * @param killed     step that it had reached
     * @param tensors    that were compared
     * @param differing  names of those that differ, and steps whose losses do
     */
    public record Result(boolean passed, long steps, long checkpoint, long killed, int tensors, List<String> differing) {
        public Result {
            differing = List.copyOf(differing);
        }
    }

    private ResumeCheck(Config options, List<String> program, Path folder, Consumer<String> say) {
        this.options = options;
        this.program = program;
        this.folder = folder;
        this.say = say;
    }

    /**
     * Runs the trainings, each in a process of its own, in a temporary folder that is deleted afterwards.
     *
     * @param asked   options of {@code firn train}; {@code deterministic} is set, and how long the run is follows from when
     *                it is killed
     * @param program the command that {@code train} and its options are to be appended to
     * @throws UserError where a training fails by itself, or ends before it can be killed
     */
    public static Result run(Config asked, List<String> program, Consumer<String> say) {
        try {
            Path folder = Files.createTempDirectory("firn-resume");
            try {
                Config options = asked.without("max-steps", "checkpoint-every").with("deterministic", true);
                return new ResumeCheck(options, program, folder, say).run();
            } finally {
                try (Stream<Path> all = Files.walk(folder)) {
                    all.sorted(Comparator.reverseOrder()).forEach(p -> p.toFile().delete());
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    private Result run() throws IOException, InterruptedException {
        options.write(folder.resolve("killed.toml"));
        say.accept("selftest: a training to be killed");
        long killed = kill();
        long checkpoint = JsonMapper.builder().build().readTree(folder.resolve("killed/checkpoint/checkpoint.json").toFile())
                .path("position").path("step").asLong();
        long steps = killed + STEPS_BEYOND;
        // As resolved for the killed one: some defaults, such as the augmentation, follow from how long a run is to be.
        Files.copy(folder.resolve("killed/config.toml"), folder.resolve("whole.toml"));
        say.accept("selftest: it was killed at step %d and goes on from step %d to %d".formatted(killed, checkpoint, steps));
        finish(start("killed", "--resume", "--max-steps", String.valueOf(steps)), "killed");
        say.accept("selftest: the same without a kill");
        finish(start("whole", "--max-steps", String.valueOf(steps)), "whole");
        List<String> differing = new ArrayList<>();
        int tensors = compare("weights.safetensors", differing) + compare("checkpoint/states.safetensors", differing);
        Map<Long, String> losses = losses("whole");
        Map<Long, String> resumed = losses("killed");
        losses.forEach((step, loss) -> {
            if (!loss.equals(resumed.get(step))) {
                differing.add("loss of step " + step);
            }
        });
        return new Result(differing.isEmpty(), steps, checkpoint, killed, tensors, differing);
    }

    /** Trains until there are steps beyond a checkpoint, and ends the process as the system would; the last step. */
    private long kill() throws IOException, InterruptedException {
        Process process = start("killed", "--checkpoint-every", "1");
        try {
            while (process.isAlive()) {
                Path checkpoint = folder.resolve("killed/checkpoint/checkpoint.json");
                if (Files.exists(checkpoint)) {
                    long saved = losses("killed").size();
                    while (process.isAlive() && losses("killed").size() < saved + STEPS_BEYOND) {
                        Thread.sleep(POLL_MS);
                    }
                    process.destroyForcibly();
                }
                Thread.sleep(POLL_MS);
            }
        } finally {
            process.destroyForcibly();
        }
        int code = process.waitFor();
        if (code != SIGKILL) {
            throw failed("killed", code == 0 ? "ended before it could be killed: give more --epochs" : "exited with " + code);
        }
        return losses("killed").size();
    }

    private void finish(Process process, String run) throws IOException, InterruptedException {
        int code = process.waitFor();
        if (code != 0) {
            throw failed(run, "exited with " + code);
        }
    }

    private UserError failed(String run, String what) throws IOException {
        String last = Files.readAllLines(folder.resolve(run + ".log")).stream().filter(l -> !l.isBlank())
                .reduce((_, l) -> l).orElse("");
        return UserError.other("the training %s; its last line: %s", what, last);
    }

    private Process start(String run, String... more) throws IOException {
        List<String> command = new ArrayList<>(program);
        command.addAll(List.of("train", "--output", folder.resolve(run).toString()));
        command.addAll(List.of(more));
        if (!command.contains("--resume")) {
            command.addAll(List.of("--config", folder.resolve(run + ".toml").toString()));
        }
        return new ProcessBuilder(command).redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(folder.resolve(run + ".log").toFile())).start();
    }

    /** Losses as they are written, by step; a line that a kill tore is none. */
    private Map<Long, String> losses(String run) throws IOException {
        Path file = folder.resolve(run).resolve("metrics.jsonl");
        Map<Long, String> losses = new TreeMap<>();
        if (Files.exists(file)) {
            String text = Files.readString(file);
            text.substring(0, text.lastIndexOf('\n') + 1).lines().forEach(line -> {
                try {
                    JsonNode n = JsonMapper.builder().build().readTree(line);
                    if (n.path("kind").asText().equals("step")) {
                        losses.put(n.path("step").asLong(), n.path("loss").asText());
                    }
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
        }
        return losses;
    }

    private int compare(String file, List<String> differing) {
        Map<String, Tensor> whole = Safetensors.read(folder.resolve("whole").resolve(file)).tensors();
        Map<String, Tensor> resumed = Safetensors.read(folder.resolve("killed").resolve(file)).tensors();
        whole.forEach((name, t) -> {
            if (!resumed.containsKey(name) || !Arrays.equals(t.data(), resumed.get(name).data())) {
                differing.add(file + ": " + name);
            }
        });
        return whole.size();
    }
}
