package io.firn.study;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.firn.error.UserError;
import io.firn.study.schedule.Device;
import io.firn.study.schedule.Event;
import io.firn.study.schedule.Executor;
import io.firn.study.schedule.Pool;
import io.firn.study.schedule.Task;
import java.io.File;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;

/**
 * Trainings as processes of this machine, one a slot: {@code firn train --config … --output … --resume}, so that a crash
 * takes nothing else along, and a run that was stopped goes on where it stands.
 */
final class LocalExecutor implements Executor {
    private static final JsonMapper JSON = JsonMapper.builder().build();
    private static final int POLL_MS = 200;
    private static final double PROGRESS_SECONDS = 1;
    private static final int TAIL = 4096;

    private final StudyFolder folder;
    private final List<String> firn;
    private final List<Device> devices;
    private final Map<String, Job> jobs = new LinkedHashMap<>();
    private final Map<String, Process> running = new HashMap<>();
    private double toldAt;
    private boolean isStopping;

    /**
     * A machine's slots.
     *
     * @param firn   the words that start Firn
     * @param slots  runs at a time
     * @param memory bytes that they may use together
     */
    LocalExecutor(StudyFolder folder, List<String> firn, int slots, long memory) {
        this.folder = folder;
        this.firn = List.copyOf(firn);
        Pool pool = new Pool("this machine", memory);
        devices = IntStream.range(0, slots).mapToObj(i -> new Device("slot" + i, 1, pool)).toList();
    }

    /** Makes jobs known, whose tasks can then be started. */
    void add(List<Job> more) {
        more.forEach(j -> jobs.put(j.name(), j));
    }

    @Override
    public List<Device> devices() {
        return devices;
    }

    @Override
    public double now() {
        return System.nanoTime() / 1e9;
    }

    @Override
    public void start(Task task, Device device) {
        Job job = jobs.get(task.name());
        Path config = folder.root().resolve("runs").resolve(job.run() + ".toml");
        job.config().write(config);
        List<String> command = new ArrayList<>(firn);
        command.addAll(List.of("train", "--config", config.toString(), "--output", folder.run(job.run()).toString(),
                "--resume"));
        File log = folder.log(job.run()).toFile();
        try {
            running.put(task.name(), new ProcessBuilder(command).redirectInput(new File("/dev/null"))
                    .redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.appendTo(log)).start());
        } catch (IOException e) {
            throw UserError.other("cannot start %s: %s", command.getFirst(), e.getMessage()).causedBy(e);
        }
    }

    @Override
    public List<Event> await() {
        List<Event> events = new ArrayList<>();
        running.values().stream().findAny().ifPresent(p -> {
            try {
                p.waitFor(POLL_MS, TimeUnit.MILLISECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        for (var e : List.copyOf(running.entrySet())) {
            if (!e.getValue().isAlive()) {
                running.remove(e.getKey());
                events.add(ended(e.getKey(), e.getValue().exitValue()));
            }
        }
        if (now() - toldAt > PROGRESS_SECONDS) {
            toldAt = now();
            running.keySet().forEach(name -> progress(jobs.get(name)).ifPresent(events::add));
        }
        return events;
    }

    private Event ended(String task, int code) {
        if (code == 0) {
            return new Event.Finished(task);
        }
        // Told to stop before it listened, a run ends without a word, and nothing is lost either.
        if (code == UserError.Kind.STOPPED.exitCode() || isStopping) {
            return new Event.Stopped(task);
        }
        // What a user would have to change fails the same way again; all else may have been this once.
        boolean again = code != UserError.Kind.DIVERGED.exitCode() && code != UserError.Kind.USAGE.exitCode()
                && code != UserError.Kind.DATA.exitCode() && code != UserError.Kind.MEMORY.exitCode();
        return new Event.Failed(task, reason(folder.log(jobs.get(task).run()), code), again);
    }

    /** The last line that the run had to say about its end. */
    static String reason(Path log, int code) {
        String last = tail(log).lines().filter(l -> l.startsWith("firn: ")).reduce((_, b) -> b)
                .map(l -> l.substring("firn: ".length())).orElse("see " + log);
        return "exit %d: %s".formatted(code, last);
    }

    private Optional<Event.Progressed> progress(Job job) {
        String[] lines = tail(folder.run(job.run()).resolve("metrics.jsonl")).split("\n");
        // The last line may be half written, the one before is whole.
        for (int i = lines.length - 2; i > 0; i--) {
            if (lines[i].startsWith("{\"kind\":\"step\"")) {
                try {
                    JsonNode step = JSON.readTree(lines[i]);
                    return Optional.of(new Event.Progressed(job.name(),
                            Math.min(1, step.path("step").asDouble() / job.price().steps()),
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

    @Override
    public void stop() {
        isStopping = true;
        // The terminal may have told them already: within a second that is one wish.
        running.values().forEach(Process::destroy);
    }

    @Override
    public void close() {
        running.values().forEach(Process::destroy);
    }
}
