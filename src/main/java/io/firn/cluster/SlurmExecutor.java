package io.firn.cluster;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.firn.error.UserError;
import io.firn.files.AtomicFile;
import io.firn.study.Training;
import io.firn.study.schedule.Device;
import io.firn.study.schedule.Event;
import io.firn.study.schedule.Executor;
import io.firn.study.schedule.Task;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A study's runs as jobs of Slurm: those that are started together and need the same memory as one array, in the order in
 * which they are started. A run's end is told by the file that its job leaves, its life by the queue. Jobs that an earlier
 * process has left in the queue are followed in place of new ones.
 */
final class SlurmExecutor implements Executor {
    private static final JsonMapper JSON = JsonMapper.builder().build();
    private static final String JOBS = "jobs.json";
    /** Of a batch: its script, and what its tasks are. */
    private static final String SCRIPT = ".sh";
    private static final String LIST = ".list";
    private static final int NAP_MS = 200;
    private static final double PROGRESS_SECONDS = 1;
    /** Of one array, whose tasks Slurm numbers up to 1000 by default. */
    private static final int MOST_TASKS = 1000;
    // Times in polls of the queue, of which there is one in five seconds.
    /** A queue that is full is tried again then. */
    private static final int FULL = 6;
    /** For a file to be seen from here; and for Slurm to put a job whose node has failed back into the queue. */
    private static final int GRACE = 3;
    /** A controller that does not answer for longer ends the study. Its jobs go on. */
    private static final int OUTAGE = 360;
    /** A run writes its checkpoint in less; a second signal before it has would end it without. */
    private static final int STOP = 24;
    private static final Set<String> WAITING = Set.of("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED",
            "SUSPENDED", "RESV_DEL_HOLD", "SPECIAL_EXIT");
    private static final Set<String> LIVE = Set.of("RUNNING", "COMPLETING", "SIGNALING", "STAGE_OUT", "RESIZING", "STOPPED");

    private final SlurmSite site;
    private final List<Device> devices;
    private final Path folder;
    private final Map<String, Training> trainings;
    /** What is to be submitted. */
    private final Map<String, Task> due = new LinkedHashMap<>();
    private final Map<String, Followed> followed = new LinkedHashMap<>();
    /** Of jobs that were submitted and have not been seen to end, by task: an earlier process's too. */
    private final Map<String, String> jobs;
    private double progressAt;
    private double askedAt;
    private double answeredAt = now();
    private double submitAt;
    private boolean isStopping;

    /** A run in the queue or under way. */
    private static final class Followed {
        private final String job;
        private String state = "";
        /** Since when the queue says that it is over, or nothing; NaN while it is there. */
        private double goneSince = Double.NaN;
        private double stoppedAt = Double.NEGATIVE_INFINITY;

        Followed(String job) {
            this.job = job;
        }
    }

    SlurmExecutor(SlurmSite site, List<Device> devices, Path folder, List<Training> trainings) {
        this.site = site;
        this.devices = devices;
        this.folder = folder;
        this.trainings = trainings.stream().collect(Collectors.toMap(Training::name, Function.identity()));
        try {
            Files.createDirectories(folder);
            Path file = folder.resolve(JOBS);
            jobs = Files.exists(file) ? JSON.readValue(file.toFile(), new TypeReference<LinkedHashMap<String, String>>() { })
                    : new LinkedHashMap<>();
        } catch (IOException e) {
            throw UserError.data("%s cannot be used: %s", folder, AtomicFile.reason(e)).causedBy(e);
        }
        recover();
    }

    /** Follows jobs too that an earlier process has submitted, but did not live to write down. */
    private void recover() {
        try (Stream<Path> files = Files.list(folder)) {
            if (files.noneMatch(f -> f.toString().endsWith(LIST))) {
                return;
            }
            for (Map.Entry<String, Slurm.Standing> e : site.slurm().standings().entrySet()) {
                Path script = Path.of(e.getValue().script());
                String state = e.getValue().state();
                if (folder.equals(script.getParent()) && (WAITING.contains(state) || LIVE.contains(state))) {
                    int task = Integer.parseInt(e.getKey().substring(e.getKey().indexOf('_') + 1));
                    String line = Files.readAllLines(folder.resolve(script.getFileName().toString().replace(SCRIPT, LIST))).get(task);
                    jobs.putIfAbsent(line.split(" ")[0], e.getKey());
                }
            }
        } catch (IOException | NumberFormatException | IndexOutOfBoundsException | InvalidPathException e) {
            throw UserError.data("%s: its scripts are not those of the jobs in the queue: %s", folder, e.getMessage()).causedBy(e);
        }
    }

    @Override
    public List<Device> devices() {
        return devices;
    }

    @Override
    public void start(Task task, Device device) {
        String job = jobs.get(task.name());
        if (job == null) {
            due.put(task.name(), task);
        } else {
            followed.put(task.name(), new Followed(job));
        }
    }

    @Override
    public List<Event> await() {
        List<Event> events = new ArrayList<>();
        if (isStopping) {
            due.keySet().forEach(name -> events.add(new Event.Stopped(name)));
            due.clear();
        } else if (!due.isEmpty() && now() >= submitAt) {
            submit();
        }
        nap();
        ask();
        for (String name : List.copyOf(followed.keySet())) {
            ended(name).ifPresent(e -> {
                events.add(e);
                followed.remove(name);
                jobs.remove(name);
                keep();
            });
        }
        if (now() - progressAt > PROGRESS_SECONDS) {
            progressAt = now();
            due.keySet().forEach(name -> events.add(new Event.Queued(name, "waits for Slurm to take it")));
            followed.forEach((name, f) -> (WAITING.contains(f.state) ? Optional.<Event>of(new Event.Queued(name, "in the queue"))
                    : trainings.get(name).progress()).ifPresent(events::add));
        }
        return events;
    }

    private static void nap() {
        try {
            Thread.sleep(NAP_MS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Submits what is due; where Slurm takes no more now, what is left stays due as long as something of ours is there. */
    private void submit() {
        Map<Long, List<Task>> byMemory = new LinkedHashMap<>();
        due.values().forEach(t -> byMemory.computeIfAbsent(t.bytes(), _ -> new ArrayList<>()).add(t));
        for (var group : byMemory.entrySet()) {
            List<Task> tasks = group.getValue();
            for (int i = 0; i < tasks.size(); i += MOST_TASKS) {
                try {
                    submit(tasks.subList(i, Math.min(tasks.size(), i + MOST_TASKS)), group.getKey());
                } catch (UserError e) {
                    if (followed.isEmpty()) {
                        throw e;
                    }
                    site.log().printf("%s; tried again while runs end%n", e.getMessage());
                    submitAt = now() + polls(FULL);
                    return;
                }
            }
        }
    }

    private void submit(List<Task> tasks, long memory) {
        String batch = "batch-%s".formatted(Long.toString(System.currentTimeMillis(), Character.MAX_RADIX));
        StringBuilder list = new StringBuilder();
        for (Task t : tasks) {
            Training run = trainings.get(t.name());
            run.prepare();
            list.append(ArrayScript.line(t.name(), run.words(), run.log()));
            delete(code(t.name()));
        }
        AtomicFile.write(folder.resolve(batch + LIST), list.toString().getBytes(StandardCharsets.UTF_8));
        Path script = folder.resolve(batch + SCRIPT);
        AtomicFile.write(script, ArrayScript.of(site, folder, batch, tasks.size(), memory).getBytes(StandardCharsets.UTF_8));
        String job = site.slurm().submit(script);
        for (int i = 0; i < tasks.size(); i++) {
            String name = tasks.get(i).name();
            jobs.put(name, job + "_" + i);
            followed.put(name, new Followed(job + "_" + i));
            due.remove(name);
        }
        keep();
    }

    private Path code(String task) {
        return folder.resolve(task + ".code");
    }

    private static void delete(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            throw UserError.other("%s cannot be deleted: %s", file, AtomicFile.reason(e)).causedBy(e);
        }
    }

    private void keep() {
        try {
            AtomicFile.write(folder.resolve(JOBS), JSON.writeValueAsBytes(jobs));
        } catch (IOException e) {
            throw UserError.other("%s cannot be written: %s", folder.resolve(JOBS), AtomicFile.reason(e)).causedBy(e);
        }
    }

    /** Learns from the queue where each job stands, now and then. */
    private void ask() {
        if (followed.isEmpty() || now() - askedAt < polls(1)) {
            return;
        }
        askedAt = now();
        Map<String, Slurm.Standing> standings;
        try {
            standings = site.slurm().standings();
            answeredAt = now();
        } catch (UserError e) {
            if (now() - answeredAt > polls(OUTAGE)) {
                throw e;
            }
            return;
        }
        for (Followed f : followed.values()) {
            f.state = Optional.ofNullable(standings.get(f.job)).map(Slurm.Standing::state).orElse("");
            if (WAITING.contains(f.state) || LIVE.contains(f.state)) {
                f.goneSince = Double.NaN;
            } else if (Double.isNaN(f.goneSince)) {
                f.goneSince = now();
            }
        }
        if (isStopping) {
            stopJobs();
        }
    }

    private double polls(int n) {
        return n * site.poll().toMillis() / 1e3;
    }

    /** What a run's job came to, where it did. */
    private Optional<Event> ended(String task) {
        Followed f = followed.get(task);
        Optional<Integer> code = code(code(task));
        boolean isCancelled = code.filter(c -> c == ArrayScript.CANCELLED).isPresent();
        if (code.isPresent() && !isCancelled) {
            return Optional.of(trainings.get(task).ended(code.get()));
        }
        if (isStopping && (isCancelled || !Double.isNaN(f.goneSince))) {
            return Optional.of(new Event.Stopped(task));
        }
        if (Double.isNaN(f.goneSince) || now() - f.goneSince < polls(GRACE)) {
            return Optional.empty();
        }
        if (isCancelled && f.state.isEmpty()) {
            f.state = "CANCELLED";
        }
        return Optional.of(switch (f.state) {
            case "CANCELLED" -> new Event.Failed(task, "job %s was cancelled".formatted(f.job), false);
            case "OUT_OF_MEMORY" -> new Event.Failed(task, ("job %s was ended by Slurm, since it used more memory than its plan has; "
                    + "give more by --sbatch=--mem=…").formatted(f.job), false);
            case "" -> new Event.Failed(task, "job %s is gone without a word".formatted(f.job), true);
            default -> new Event.Failed(task, "job %s ended without a word (%s)".formatted(f.job, f.state), true);
        });
    }

    private static Optional<Integer> code(Path file) {
        try {
            return Files.exists(file) ? Optional.of(Integer.valueOf(Files.readString(file).strip())) : Optional.empty();
        } catch (IOException | NumberFormatException e) {
            throw UserError.data("%s cannot be read: %s", file, e.getMessage()).causedBy(e);
        }
    }

    @Override
    public void stop() {
        isStopping = true;
        askedAt = Double.NEGATIVE_INFINITY;
    }

    /** What waits is taken out of the queue, what runs is told to stop; again where it did not listen yet. */
    private void stopJobs() {
        List<String> waiting = followed.values().stream().filter(f -> WAITING.contains(f.state)).map(f -> f.job).toList();
        List<Followed> running = followed.values().stream().filter(f -> LIVE.contains(f.state) && now() - f.stoppedAt > polls(STOP))
                .toList();
        running.forEach(f -> f.stoppedAt = now());
        try {
            if (!waiting.isEmpty()) {
                site.slurm().cancel(waiting);
            }
            if (!running.isEmpty()) {
                site.slurm().stop(running.stream().map(f -> f.job).toList());
            }
        } catch (UserError e) {
            // It may have ended meanwhile, or Slurm does not answer: what is still there is told again.
            site.log().println(e.getMessage());
            running.forEach(f -> f.stoppedAt = Double.NEGATIVE_INFINITY);
        }
    }

    /** Jobs are left to go on where this process fails: the next one follows them. */
    @Override
    public void close() {
        due.clear();
    }
}
