package io.firn.train;

import io.firn.error.UserError;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Comparator;
import java.util.Optional;
import java.util.stream.Stream;

/** The folder of one run: the names of what lies in it, and the right to write there, which one process has at a time. */
public final class RunFolder implements AutoCloseable {
    /** Weights that were made for a run before it began, and that it begins with. */
    private static final String START = "start.safetensors";
    private static final DateTimeFormatter STAMP = DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss");

    private final Path root;
    private final FileChannel lockFile;

    private RunFolder(Path root, FileChannel lockFile) {
        this.root = root;
        this.lockFile = lockFile;
    }

    /** Where a run goes that was given no place: {@code runs/MODEL-DATE}, with a number where that is taken. */
    public static Path choose(Path runs, String model, LocalDateTime now) {
        String name = model + "-" + STAMP.format(now);
        Path path = runs.resolve(name);
        for (int i = 2; Files.exists(path); i++) {
            path = runs.resolve(name + "-" + i);
        }
        return path;
    }

    /** The run of that model that was last written to, for {@code --resume} without {@code --output}. */
    public static Optional<Path> latest(Path runs, String model) {
        try (Stream<Path> folders = Files.list(runs)) {
            return folders.filter(p -> p.getFileName().toString().matches("\\Q" + model + "\\E-\\d{8}-\\d{6}(-\\d+)?"))
                    .filter(p -> Files.exists(config(p)))
                    .max(Comparator.comparing(RunFolder::written).thenComparing(Comparator.naturalOrder()));
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private static long written(Path run) {
        Path metrics = run.resolve("metrics.jsonl");
        return (Files.exists(metrics) ? metrics : config(run)).toFile().lastModified();
    }

    /**
     * Makes or enters a run folder and locks it until {@link #close}.
     *
     * @param resume whether to go on with what is there; without anything there, the run begins
     * @throws UserError (usage) where there is a run and {@code resume} is not given, or the folder holds other things;
     *                   (other) where it cannot be written, or another process writes to it
     */
    public static RunFolder open(Path root, boolean resume) {
        boolean isRun = Files.exists(config(root));
        if (isRun && !resume) {
            throw isFinished(root)
                    ? UserError.usage("%s holds a finished run; choose another --output, or go on with --resume and more "
                            + "--epochs", root)
                    : UserError.usage("%s holds an unfinished run; go on with --resume, or choose another --output", root);
        }
        try {
            // Only hidden files: a run that was killed before it wrote anything. A job's script and log are there before it.
            if (!isRun && Files.isDirectory(root) && hasVisibleFiles(root)) {
                throw UserError.usage("%s is not empty and holds no run; choose another --output", root);
            }
            Files.createDirectories(root);
            RunFolder folder = new RunFolder(root, lock(root));
            AtomicFolder.recover(folder.checkpoint());
            return folder;
        } catch (IOException e) {
            throw AtomicFolder.cannotWrite(root, e);
        }
    }

    private static boolean hasVisibleFiles(Path root) throws IOException {
        try (Stream<Path> files = Files.list(root)) {
            return files.map(p -> p.getFileName().toString())
                    .anyMatch(n -> !n.startsWith(".") && !n.equals(START) && !n.equals("slurm"));
        }
    }

    private static FileChannel lock(Path root) throws IOException {
        FileChannel channel = FileChannel.open(root.resolve(".lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        FileLock lock = null;
        try {
            lock = channel.tryLock();
        } catch (OverlappingFileLockException e) {
            // This very process has it: the same answer.
        } catch (IOException e) {
            // A file system without locks (some network ones): nothing to hold on to.
            return channel;
        }
        if (lock == null) {
            channel.close();
            throw UserError.other("%s is being written by another process; wait for it, or choose another --output", root);
        }
        return channel;
    }

    /** Whether the run in a folder came to its end: the last weights are written then, and not before. */
    public static boolean isFinished(Path root) {
        return Files.exists(root.resolve("weights.safetensors"));
    }

    private static Path config(Path root) {
        return root.resolve("config.toml");
    }

    /** Where weights lie that were made for the run in a folder, which may not be there yet. */
    public static Path start(Path root) {
        return root.resolve(START);
    }

    public Path root() {
        return root;
    }

    public Path config() {
        return config(root);
    }

    public Path metrics() {
        return root.resolve("metrics.jsonl");
    }

    /** What steps took of the machine (see {@link Resources}). */
    public Path resources() {
        return root.resolve("resources.jsonl");
    }

    /** The last weights, written at the end. */
    public Path weights() {
        return root.resolve("weights.safetensors");
    }

    /** The weights of the epoch with the best validation. */
    public Path best() {
        return root.resolve("best.safetensors");
    }

    /** The folder of the last checkpoint, replaced whole (see {@link AtomicFolder}). */
    public Path checkpoint() {
        return root.resolve("checkpoint");
    }

    public Path plan() {
        return root.resolve("plan.json");
    }

    /** Whether what is frozen stayed what it was (see {@link FreezeAudit}). */
    public Path freeze() {
        return root.resolve("freeze.json");
    }

    /** One page about the run, written at its end. */
    public Path report() {
        return root.resolve("report.html");
    }

    /** What the best weights said about each image of the validation (see {@link Outcomes}). */
    public Path predictions() {
        return root.resolve("predictions.jsonl");
    }

    /** Where the run's processes ran, and how they were asked for (see {@link Environment}). */
    public Path environment() {
        return root.resolve("environment.jsonl");
    }

    /** Releases the lock; the file of it stays, since deleting it would let two processes hold different ones. */
    @Override
    public void close() {
        try {
            lockFile.close();
        } catch (IOException e) {
            throw AtomicFolder.cannotWrite(root, e);
        }
    }
}
