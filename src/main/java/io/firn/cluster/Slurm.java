package io.firn.cluster;

import io.firn.error.UserError;
import io.firn.weights.AtomicFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * Slurm's commands, as far as Firn needs them: a job goes in, its state comes out, it is cancelled.
 *
 * @param prefix of the commands' names: a folder with a slash at its end, or nothing for those on the PATH
 */
public record Slurm(String prefix) {
    private static final long PATIENCE_SECONDS = 60;
    private static final String JOB = "job";

    /** Those on the PATH. */
    public static Slurm here() {
        return new Slurm("");
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
        try {
            Files.createDirectories(folder);
        } catch (IOException e) {
            throw UserError.other("%s cannot be written: %s", folder, e.getMessage()).causedBy(e);
        }
        Path script = folder.resolve("job.sh");
        AtomicFile.write(script, JobScript.of(s).getBytes(StandardCharsets.UTF_8));
        String said = call("sbatch", "--parsable", script.toString()).strip();
        String job = said.split(";")[0];
        AtomicFile.write(folder.resolve(JOB), (job + "\n").getBytes(StandardCharsets.UTF_8));
        return job;
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
            throw UserError.other("there is no Slurm here: %s is not on the PATH; run this on a cluster's login node, or print "
                    + "the script by --dry-run", command[0]).causedBy(e);
        }
        try {
            // What they say is short: both pipes hold it.
            if (!p.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                p.destroyForcibly();
                throw UserError.other("%s has not answered for %d s: Slurm's controller is down or busy; try again", command[0],
                        PATIENCE_SECONDS);
            }
            String out = new String(p.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            String err = new String(p.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
            if (p.exitValue() != 0) {
                throw UserError.other("Slurm refuses: %s", reason(err.isBlank() ? out : err));
            }
            return out;
        } catch (IOException e) {
            throw UserError.other("%s cannot be read: %s", command[0], e.getMessage()).causedBy(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw UserError.other("interrupted while waiting for %s", command[0]).causedBy(e);
        }
    }

    /** Slurm's own words, in one line and without its prefixes. */
    static String reason(String said) {
        List<String> lines = said.lines().map(l -> l.replaceFirst("^\\w+: (error: )?", "").strip()).filter(l -> !l.isEmpty()).toList();
        return lines.isEmpty() ? "it does not say why" : String.join("; ", lines);
    }
}
