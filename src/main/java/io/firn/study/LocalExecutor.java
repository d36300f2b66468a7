package io.firn.study;

import io.firn.error.UserError;
import io.firn.study.schedule.Device;
import io.firn.study.schedule.Event;
import io.firn.study.schedule.Executor;
import io.firn.study.schedule.Pool;
import io.firn.study.schedule.Task;
import java.io.File;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Trainings as processes of this machine, one a slot, so that a crash takes nothing else along. */
final class LocalExecutor implements Executor {
    private static final int POLL_MS = 200;
    private static final double PROGRESS_SECONDS = 1;

    private final List<String> firn;
    private final List<Device> devices;
    private final Map<String, Training> trainings;
    private final Map<String, Process> running = new HashMap<>();
    private double toldAt;
    private boolean isStopping;

    /** @param firn the words that start Firn */
    LocalExecutor(List<String> firn, Slots slots, List<Training> trainings) {
        this.firn = List.copyOf(firn);
        this.trainings = trainings.stream().collect(Collectors.toMap(Training::name, Function.identity()));
        Pool pool = new Pool("this machine", slots.memory());
        devices = IntStream.range(0, slots.count()).mapToObj(i -> new Device("slot" + i, 1, pool)).toList();
    }

    @Override
    public List<Device> devices() {
        return devices;
    }

    @Override
    public void start(Task task, Device device) {
        Training t = trainings.get(task.name());
        t.prepare();
        List<String> command = new ArrayList<>(firn);
        command.addAll(t.words());
        try {
            running.put(task.name(), new ProcessBuilder(command).redirectInput(new File("/dev/null"))
                    .redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.appendTo(t.log().toFile())).start());
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
                int code = e.getValue().exitValue();
                // Told to stop before it listened, a run ends without a word, and nothing is lost either.
                events.add(isStopping && code != 0 ? new Event.Stopped(e.getKey()) : trainings.get(e.getKey()).ended(code));
            }
        }
        if (now() - toldAt > PROGRESS_SECONDS) {
            toldAt = now();
            running.keySet().forEach(name -> trainings.get(name).progress().ifPresent(events::add));
        }
        return events;
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
