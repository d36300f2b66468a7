package io.firn.cluster;

import io.firn.error.UserError;
import io.firn.files.AtomicFile;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Slurm's commands, as far as Firn needs them: a job goes in, its state comes out, it is cancelled.
 *
 * @param prefix   of the commands' names: a folder with a slash at its end, or nothing for those on the PATH
 * @param patience with a command that does not answer
 */
public record Slurm(String prefix, Duration patience) {
    private static final String JOB = "job";

    /** Those on the PATH. */
    public static Slurm here() {
        return new Slurm("", Duration.ofMinutes(1));
    }

    /** A job in the queue, or a task of an array. */
    public record Job(String job, String name, String state, String time, String nodes, String reason) {
    }

    /**
     * Submits it: the script and the job's number are kept in the run's folder, below {@code slurm}.
     *
     * @return the job's number
     * @throws UserError where there is no Slurm, or it refuses
     */
    public String submit(Submission s) {
        Path folder = s.run().resolve("slurm");
        running(s.run()).ifPresent(job -> {
            throw UserError.other("%s is being run by job %s; wait for it, cancel it by firn submit --cancel %1$s, or choose "
                    + "another --output", s.run(), job);
        });
        checkNodes(s);
        List<Path> made = missing(folder);
        Path script = folder.resolve("next.sh");
        try {
            Files.createDirectories(folder);
            AtomicFile.write(script, JobScript.of(s).getBytes(StandardCharsets.UTF_8));
            String job = submit(script);
            Files.move(script, folder.resolve("job.sh"), StandardCopyOption.REPLACE_EXISTING);
            AtomicFile.write(folder.resolve(JOB), (job + "\n").getBytes(StandardCharsets.UTF_8));
            return job;
        } catch (IOException e) {
            throw UserError.other("%s cannot be written: %s", folder, AtomicFile.reason(e)).causedBy(e);
        } catch (UserError refused) {
            remove(script, made, refused);
            throw refused;
        }
    }

    /** What of a folder is not there yet, the innermost first. */
    private static List<Path> missing(Path folder) {
        List<Path> missing = new ArrayList<>();
        for (Path p = folder; p != null && !Files.exists(p); p = p.getParent()) {
            missing.add(p);
        }
        return missing;
    }

    /** Leaves nothing of a job that Slurm did not take. */
    private static void remove(Path script, List<Path> made, UserError refused) {
        try {
            Files.deleteIfExists(script);
            for (Path p : made) {
                Files.deleteIfExists(p);
            }
        } catch (IOException e) {
            refused.addSuppressed(e);
        }
    }

    /** Slurm would let a job wait for ever that wants more nodes than there are. */
    private void checkNodes(Submission s) {
        if (s.nodes() == 1 || s.choosesCluster() || System.getenv("SBATCH_PARTITION") != null) {
            return;
        }
        List<String> asked = s.partitions();
        Map<String, Integer> nodes = new LinkedHashMap<>();
        nodes().stream().filter(n -> asked.isEmpty() ? n.isDefault() : asked.contains(n.partition()))
                .forEach(n -> nodes.merge(n.partition(), 1, Integer::sum));
        if (!nodes.isEmpty() && nodes.values().stream().allMatch(n -> n < s.nodes())) {
            throw UserError.usage("--nodes %d: the job would wait for ever, since partition %s; ask for fewer, or for another "
                    + "partition by --sbatch=--partition=NAME (sinfo lists them)", s.nodes(), String.join(", ", nodes.entrySet()
                    .stream().map(e -> "%s has %d".formatted(e.getKey(), e.getValue())).toList()));
        }
    }

    /**
     * Submits a script that lies there already.
     *
     * @return the job's number
     */
    String submit(Path script) {
        return call("sbatch", "--parsable", script.toString()).strip().split(";")[0];
    }

    /** What {@link #submit} would hand to Slurm. */
    public static String script(Submission s) {
        return JobScript.of(s);
    }

    /**
     * The tasks of a job that are in the queue: none where it has ended.
     *
     * @param which a run's folder, or a job's number
     */
    public List<Job> status(String which) {
        List<Job> jobs = new ArrayList<>();
        Optional<String> listed = tryCall("squeue", "--noheader", "--jobs=" + number(which), "--format=%i|%j|%T|%M|%N|%r");
        listed.ifPresent(text -> text.lines().map(l -> l.split("\\|", -1)).filter(f -> f.length == 6)
                .forEach(f -> jobs.add(new Job(f[0], f[1], f[2], f[3], f[4], f[5]))));
        return jobs;
    }

    /** Ends a job for good. */
    public void cancel(String which) {
        call("scancel", number(which));
    }

    /** Takes jobs that wait out of the queue; one that has begun meanwhile goes on. */
    void cancel(List<String> waiting) {
        call(Stream.concat(Stream.of("scancel", "--state=PENDING"), waiting.stream()).toArray(String[]::new));
    }

    /** Tells running jobs to end by themselves: the script first, so that it starts nothing more, then what it has started. */
    void stop(List<String> running) {
        call(Stream.concat(Stream.of("scancel", "--batch", "--signal=TERM"), running.stream()).toArray(String[]::new));
        call(Stream.concat(Stream.of("scancel", "--signal=TERM"), running.stream()).toArray(String[]::new));
    }

    /**
     * Where a task of this user's stands.
     *
     * @param script that was submitted
     */
    record Standing(String state, String script) {
    }

    /** All tasks of this user's that Slurm knows, one that has ended not long ago among them, by number. */
    Map<String, Standing> standings() {
        Map<String, Standing> all = new LinkedHashMap<>();
        call("squeue", "--me", "--noheader", "--array", "--states=all", "--format=%i|%T|%o").lines()
                .map(l -> l.strip().split("\\|", 3)).filter(f -> f.length == 3).forEach(f -> all.put(f[0], new Standing(f[1], f[2])));
        return all;
    }

    /**
     * A machine of the cluster.
     *
     * @param memory bytes that its jobs may use
     */
    record Node(String name, String partition, boolean isDefault, boolean isUp, int cpus, long memory) {
        /** States in which jobs are started there, now or later. */
        private static final List<String> UP = List.of("idle", "mix", "mixed", "alloc", "allocated", "comp", "completing",
                "plnd", "planned");

        /** Of a line {@code name|partition|state|cpus|megabytes}; what a star, a tilde and so on mean is in the state. */
        static Node of(String line) {
            String[] f = line.strip().split("\\|", -1);
            try {
                String state = f[2].replaceFirst("[~#%$@^+-]+$", "");
                return new Node(f[0], f[1].replace("*", ""), f[1].endsWith("*"), UP.contains(state), Integer.parseInt(f[3]),
                        Long.parseLong(f[4].replace("+", "")) << 20);
            } catch (IndexOutOfBoundsException | NumberFormatException e) {
                throw UserError.other("sinfo says '%s', which is not understood", line).causedBy(e);
            }
        }
    }

    /** The cluster's nodes: one that is in several partitions is there for each. */
    List<Node> nodes() {
        return call("sinfo", "--noheader", "--Node", "--format=%N|%P|%t|%c|%m").lines().filter(l -> !l.isBlank()).map(Node::of).toList();
    }

    private Optional<String> running(Path run) {
        return Files.isRegularFile(run.resolve("slurm").resolve(JOB)) && !status(run.toString()).isEmpty()
                ? Optional.of(number(run.toString())) : Optional.empty();
    }

    /** The number of a run's last job, or the number that was given. */
    static String number(String which) {
        if (which.matches("\\d+(_\\d+)?")) {
            return which;
        }
        Path file = Path.of(which).resolve("slurm").resolve(JOB);
        if (!Files.isRegularFile(file)) {
            throw UserError.usage("%s is neither a job's number nor the folder of a run that firn submit has submitted", which);
        }
        try {
            String number = Files.readString(file).strip();
            if (!number.matches("\\d+")) {
                throw UserError.data("%s holds no job's number", file);
            }
            return number;
        } catch (IOException e) {
            throw UserError.data("%s cannot be read: %s", file, e.getMessage()).causedBy(e);
        }
    }

    /** As {@link #call}; empty where Slurm does not know the job any more. */
    private Optional<String> tryCall(String... command) {
        try {
            return Optional.of(call(command));
        } catch (UserError e) {
            if (e.getMessage().contains("Invalid job id")) {
                return Optional.empty();
            }
            throw e;
        }
    }

    private String call(String... command) {
        Process p;
        try {
            List<String> words = new ArrayList<>(List.of(command));
            words.set(0, prefix + command[0]);
            p = new ProcessBuilder(words).start();
            p.getOutputStream().close();
        } catch (IOException e) {
            throw UserError.other("there is no Slurm here: %s is not on the PATH; run this on a cluster's login node (firn "
                    + "submit --dry-run prints a job's script anywhere)", command[0]).causedBy(e);
        }
        try {
            CompletableFuture<String> out = CompletableFuture.supplyAsync(() -> text(p.getInputStream()));
            CompletableFuture<String> err = CompletableFuture.supplyAsync(() -> text(p.getErrorStream()));
            boolean hasEnded = p.waitFor(patience.toMillis(), TimeUnit.MILLISECONDS);
            if (!hasEnded) {
                // Where the queue is full, sbatch says so and tries again for minutes. Process.destroy would close what it said.
                p.toHandle().destroyForcibly();
                throw UserError.other("%s has not answered for %d s: %s", command[0], patience.toSeconds(), err.join().isBlank()
                        ? "Slurm's controller is down or busy; try again" : reason(err.join()));
            }
            if (p.exitValue() != 0) {
                throw UserError.other("Slurm refuses: %s", reason(err.join().isBlank() ? out.join() : err.join()));
            }
            return out.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw UserError.other("interrupted while waiting for %s", command[0]).causedBy(e);
        }
    }

    private static String text(InputStream in) {
        try {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Slurm's own words, in one line and without its prefixes. */
    static String reason(String said) {
        List<String> lines = said.lines().map(l -> l.replaceFirst("^\\w+: (error: )?", "").strip()).filter(l -> !l.isEmpty())
                .distinct().toList();
        return lines.isEmpty() ? "it does not say why" : String.join("; ", lines);
    }
}
