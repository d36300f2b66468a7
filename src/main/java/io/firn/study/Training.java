package io.firn.study;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.firn.error.UserError;
import io.firn.study.schedule.Event;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/**
 * A run of a study as a process: {@code firn train --config … --output … --resume}, which goes on where it stands.
 *
 * @param config where its options are written
 * @param run    its folder
 * @param log    of all its processes
 */
public record Training(Job job, Path config, Path run, Path log) {
    private static final JsonMapper JSON = JsonMapper.builder().build();
    private static final int TAIL = 4096;
    /** What a user would have to change fails the same way again; all else may have been this once. */
    private static final Set<Integer> FINAL = Set.of(UserError.Kind.DIVERGED.exitCode(), UserError.Kind.USAGE.exitCode(),
            UserError.Kind.DATA.exitCode(), UserError.Kind.MEMORY.exitCode());

    /** Of its task. */
    public String name() {
        return job.name();
    }

    /** The command's words after {@code firn}. */
    public List<String> words() {
        return List.of("train", "--config", config.toString(), "--output", run.toString(), "--resume");
    }

    /** Writes its options, which may be those of a longer training than before. */
    public void prepare() {
        job.config().write(config);
    }

    /** What its process's end means. */
    public Event ended(int code) {
        if (code == 0) {
            return new Event.Finished(name());
        }
        if (code == UserError.Kind.STOPPED.exitCode()) {
            return new Event.Stopped(name());
        }
        // The last line that it had to say.
        String last = tail(log).lines().filter(l -> l.startsWith("firn: ")).reduce((_, b) -> b)
                .map(l -> l.substring("firn: ".length())).orElse("see " + log);
        return new Event.Failed(name(), "exit %d: %s".formatted(code, last), !FINAL.contains(code));
    }

    /** How far it is, where it says so. */
    public Optional<Event> progress() {
        String[] lines = tail(run.resolve("metrics.jsonl")).split("\n");
        // The last line may be half written, the one before is whole.
        for (int i = lines.length - 2; i > 0; i--) {
            if (lines[i].startsWith("{\"kind\":\"step\"")) {
                try {
                    JsonNode step = JSON.readTree(lines[i]);
                    return Optional.of(new Event.Progressed(name(), Math.min(1, step.path("step").asDouble() / job.price().steps()),
                            String.format(Locale.ROOT, "loss %.4f", step.path("loss").asDouble())));
                } catch (IOException e) {
                    return Optional.empty();
                }
            }
        }
        return Optional.empty();
    }

    private static String tail(Path file) {
        if (!Files.isRegularFile(file)) {
            return "";
        }
        try (RandomAccessFile in = new RandomAccessFile(file.toFile(), "r")) {
            byte[] end = new byte[(int) Math.min(TAIL, in.length())];
            in.seek(in.length() - end.length);
            in.readFully(end);
            return new String(end, StandardCharsets.UTF_8);
        } catch (IOException e) {
            return "";
        }
    }
}
