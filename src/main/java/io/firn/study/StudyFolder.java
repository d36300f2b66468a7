package io.firn.study;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.firn.error.UserError;
import io.firn.files.AtomicFile;
import io.firn.study.schedule.Entry;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * The folder of a study: {@code study.json} says what was asked for and what was declared before the runs, {@code
 * state.json} where each run stands, {@code runs/NAME} holds the runs, {@code results.json} and {@code report.html} what
 * came of it. One process has it at a time.
 */
final class StudyFolder implements AutoCloseable {
    private static final JsonMapper JSON = JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();

    private final Path root;
    private final FileChannel lock;

    private StudyFolder(Path root, FileChannel lock) {
        this.root = root;
        this.lock = lock;
    }

    /**
     * What was asked for.
     *
     * @param study    {@code degradation} or {@code scaling}
     * @param options  that decide what is run, resolved, by their long names
     * @param declared how the verdict will be made, said before any run
     */
    record Asked(String study, SortedMap<String, String> options, List<String> declared) {
        Asked {
            options = new TreeMap<>(options);
            declared = List.copyOf(declared);
        }
    }

    /**
     * Whether nothing is there yet, so that all can be refused before something is.
     *
     * @throws UserError (usage) where the folder holds a study of another configuration, or other things
     */
    static boolean isNew(Path root, Asked asked) {
        Path file = root.resolve("study.json");
        if (Files.exists(file)) {
            refuseOther(root, read(file, Asked.class), asked);
            return false;
        }
        try {
            if (Files.exists(root) && (!Files.isDirectory(root) || !isEmpty(root))) {
                throw UserError.usage("%s is not empty and holds no study; choose another --output", root);
            }
        } catch (IOException e) {
            throw UserError.other("cannot read %s: %s", root, AtomicFile.reason(e)).causedBy(e);
        }
        return true;
    }

    /**
     * Makes the folder, or enters it to go on.
     *
     * @throws UserError as {@link #isNew}; (other) where another process has it, or it cannot be written
     */
    static StudyFolder open(Path root, Asked asked) {
        boolean isNew = isNew(root, asked);
        try {
            Files.createDirectories(root.resolve("runs"));
            Files.createDirectories(root.resolve("logs"));
            StudyFolder folder = new StudyFolder(root, lock(root));
            if (isNew) {
                folder.write("study.json", asked);
            }
            return folder;
        } catch (IOException e) {
            throw UserError.other("cannot write %s: %s", root, AtomicFile.reason(e)).causedBy(e);
        }
    }

    private static boolean isEmpty(Path root) throws IOException {
        try (Stream<Path> files = Files.list(root)) {
            return files.allMatch(f -> f.getFileName().toString().startsWith("."));
        }
    }

    private static void refuseOther(Path root, Asked before, Asked now) {
        if (!before.study.equals(now.study)) {
            throw UserError.usage("%s holds a study of %s; choose another --output", root, before.study);
        }
        SortedMap<String, String> all = new TreeMap<>(before.options);
        all.putAll(now.options);
        List<String> differ = all.keySet().stream()
                .filter(k -> !Optional.ofNullable(before.options.get(k)).equals(Optional.ofNullable(now.options.get(k))))
                .map(k -> "--%s %s (was %s)".formatted(k, now.options.getOrDefault(k, "not given"),
                        before.options.getOrDefault(k, "not given"))).toList();
        if (!differ.isEmpty()) {
            throw UserError.usage("%s holds a study with other options: %s; give the same, or choose another --output", root,
                    String.join(", ", differ));
        }
    }

    private static FileChannel lock(Path root) throws IOException {
        FileChannel channel = FileChannel.open(root.resolve(".lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        try {
            if (channel.tryLock() != null) {
                return channel;
            }
        } catch (OverlappingFileLockException e) {
            // This very process has it: the same answer.
        }
        channel.close();
        throw UserError.other("%s is being run by another process; wait for it, or choose another --output", root);
    }

    Path root() {
        return root;
    }

    Path run(String name) {
        return root.resolve("runs").resolve(name);
    }

    /** The job as a process, wherever it runs. */
    Training training(Job job) {
        return new Training(job, root.resolve("runs").resolve(job.run() + ".toml").toAbsolutePath(),
                run(job.run()).toAbsolutePath(), root.resolve("logs").resolve(job.run() + ".log").toAbsolutePath());
    }

    /** Where each task stood last; empty at first. */
    Map<String, Entry> state() {
        Path file = root.resolve("state.json");
        return Files.exists(file) ? read(file, new TypeReference<LinkedHashMap<String, Entry>>() { }) : Map.of();
    }

    /** Keeps where tasks stand, beside those of other rounds. */
    void keep(Map<String, Entry> entries) {
        Map<String, Entry> all = new LinkedHashMap<>(state());
        all.putAll(entries);
        write("state.json", all);
    }

    void write(String name, Object content) {
        try {
            AtomicFile.write(root.resolve(name), JSON.writeValueAsBytes(content));
        } catch (JacksonException e) {
            throw new IllegalStateException(e);
        }
    }

    /** What was kept under that name; empty where nothing was. */
    <T> Optional<T> read(String name, Class<T> type) {
        Path file = root.resolve(name);
        return Files.exists(file) ? Optional.of(read(file, type)) : Optional.empty();
    }

    private static <T> T read(Path file, Class<T> type) {
        try {
            return JSON.readValue(file.toFile(), type);
        } catch (IOException e) {
            throw damaged(file, e);
        }
    }

    private static <T> T read(Path file, TypeReference<T> type) {
        try {
            return JSON.readValue(file.toFile(), type);
        } catch (IOException e) {
            throw damaged(file, e);
        }
    }

    private static UserError damaged(Path file, IOException e) {
        return UserError.data("%s is damaged (%s); delete the study's folder, or choose another --output", file,
                String.valueOf(e.getMessage()).lines().findFirst().orElse("")).causedBy(e);
    }

    @Override
    public void close() {
        try {
            lock.close();
        } catch (IOException e) {
            throw UserError.other("cannot write %s: %s", root, AtomicFile.reason(e)).causedBy(e);
        }
    }
}
