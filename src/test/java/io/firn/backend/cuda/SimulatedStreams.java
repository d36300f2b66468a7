package io.firn.backend.cuda;

import io.firn.backend.cuda.Device.Event;
import io.firn.backend.cuda.Device.Stream;
import io.firn.error.UserError;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.BooleanSupplier;

/**
 * A simulated GPU's streams, their marks and recordings. Work waits on its stream until someone waits for it, or until
 * chance has it done; streams go on side by side as their marks allow.
 */
final class SimulatedStreams {
    private final Random random;
    private final Map<Stream, Deque<Work>> streams = new HashMap<>();
    private final Map<Event, Long> marks = new HashMap<>();
    private final Map<Event, Long> reached = new HashMap<>();
    private final Map<Event, Long> clocks = new HashMap<>();
    /** The stream whose work is recorded, and those that joined it by following its events, which must come back. */
    private Stream recording;
    private final Map<Stream, Integer> apart = new HashMap<>();
    private final Map<Event, Step.Mark> recordedMarks = new HashMap<>();
    private List<Step> recorded;
    private int recordedStreams;
    /** Simulated milliseconds of all work so far: one of everything that does not say it itself. */
    private long clock;
    /** Of the last stream or event that is a replay's own. */
    private long own;
    private int executed;
    private int failing = -1;
    private String broken = "";

    /** @param random decides which stream goes on, and when */
    SimulatedStreams(Random random) {
        this.random = random;
    }

    /** What a stream does: at most once, and not before it may. */
    private record Work(Runnable run, BooleanSupplier may) {
    }

    /** A part of a recording. */
    sealed interface Step {
        Stream on();

        record Put(Stream on, Work work) implements Step {
        }

        /** @param puts works of the stream before it */
        record Mark(Stream on, Event event, int puts) implements Step {
        }

        record Follow(Stream on, Event event) implements Step {
        }
    }

    void add(Stream s) {
        streams.put(s, new ArrayDeque<>());
    }

    void remove(Stream s) {
        streams.remove(s);
    }

    /** Makes the work of that number fail when it is done: what waits next is told, and everything after it. */
    void fail(int number) {
        executed = 0;
        failing = number;
    }

    /** Works done since the last {@link #fail}. */
    int executed() {
        return executed;
    }

    /** The most streams that a recording so far has had. */
    int recordedStreams() {
        return recordedStreams;
    }

    /** Says that the work that runs takes so many milliseconds. */
    void took(long milliseconds) {
        clock += milliseconds - 1;
    }

    void put(Stream on, Runnable work) {
        put(on, work, () -> true);
    }

    void put(Stream on, Runnable run, BooleanSupplier may) {
        Work work = new Work(run, may);
        if (isRecorded(on)) {
            recorded.add(new Step.Put(on, work));
            apart.computeIfPresent(on, (_, puts) -> puts + 1);
        } else {
            streams.get(on).add(work);
        }
    }

    private boolean isRecorded(Stream on) {
        return on.equals(recording) || apart.containsKey(on);
    }

    /** What is not allowed while work is recorded. */
    void notRecorded(String name) {
        if (recording != null) {
            throw UserError.other("%s: CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, not permitted while a stream is recorded", name);
        }
    }

    /** Tells that work failed. */
    void told(String name) {
        if (!broken.isEmpty()) {
            throw UserError.other("%s: %s", name, broken);
        }
    }

    /** Time passes: some work may be done. */
    void goOn() {
        for (int i = random.nextInt(4); i > 0 && !streams.isEmpty(); i--) {
            advance(List.copyOf(streams.keySet()).get(random.nextInt(streams.size())));
        }
    }

    /** Each stream does its next work, if it may. */
    void advance() {
        List.copyOf(streams.keySet()).forEach(this::advance);
    }

    /** Does a stream's next work, if it may; whether it did. */
    private boolean advance(Stream s) {
        Work w = streams.containsKey(s) ? streams.get(s).peek() : null;
        if (w == null || broken.isEmpty() && !w.may.getAsBoolean()) {
            return false;
        }
        streams.get(s).poll();
        if (broken.isEmpty()) {
            if (executed++ == failing) {
                broken = "CUDA_ERROR_SIMULATED, work failed on demand";
            } else {
                clock++;
                w.run.run();
            }
        }
        return true;
    }

    boolean isDone(Stream s) {
        return streams.get(s).isEmpty();
    }

    void drain() {
        List.copyOf(streams.keySet()).stream().filter(streams::containsKey).forEach(this::drain);
    }

    /** Does what is left of a stream's work, and of what it waits for. */
    void drain(Stream s) {
        while (!streams.get(s).isEmpty()) {
            if (!advance(s)) {
                boolean any = false;
                for (Stream other : List.copyOf(streams.keySet())) {
                    any |= other != s && advance(other);
                }
                if (!any) {
                    throw new IllegalStateException("streams wait for each other");
                }
            }
        }
    }

    void mark(Event event, Stream on) {
        if (isRecorded(on)) {
            var mark = new Step.Mark(on, event, apart.getOrDefault(on, 0));
            recorded.add(mark);
            recordedMarks.put(event, mark);
            return;
        }
        notRecorded("cuEventRecord");
        long mark = marks.merge(event, 1L, Long::sum);
        put(on, () -> {
            reached.put(event, mark);
            clocks.put(event, --clock);
        });
    }

    void follow(Stream on, Event event) {
        Step.Mark within = recording == null ? null : recordedMarks.get(event);
        if (within != null) {
            recorded.add(new Step.Follow(on, event));
            if (!on.equals(recording)) {
                apart.merge(on, 1, Integer::sum);
            } else if (apart.getOrDefault(within.on, 0) == within.puts) {
                apart.replace(within.on, 0);
            }
            return;
        }
        if (isRecorded(on)) {
            throw UserError.other("cuStreamWaitEvent: CUDA_ERROR_STREAM_CAPTURE_ISOLATION, the event is not of the recording");
        }
        notRecorded("cuStreamWaitEvent");
        streams.get(on).add(new Work(() -> clock--, reaches(event)));
    }

    /** Whether the event's last mark until now is reached, whenever it is asked. */
    BooleanSupplier reaches(Event event) {
        long mark = marks.getOrDefault(event, 0L);
        return () -> reached.getOrDefault(event, 0L) >= mark;
    }

    /** Waits for an event's last mark. */
    void await(Event event) {
        BooleanSupplier done = reaches(event);
        while (broken.isEmpty() && !done.getAsBoolean()) {
            boolean any = false;
            for (Stream s : List.copyOf(streams.keySet())) {
                any |= random.nextBoolean() ? advance(s) : !streams.get(s).isEmpty();
            }
            if (!any) {
                throw new IllegalStateException("nobody reaches the mark that is waited for");
            }
        }
    }

    double milliseconds(Event from, Event to) {
        return clocks.get(to) - clocks.get(from);
    }

    void record(Stream on) {
        recording = on;
        recorded = new ArrayList<>();
        recordedMarks.clear();
        apart.clear();
    }

    /** Ends a recording, which may be given up; whether all streams had come back. */
    boolean end() {
        boolean cameBack = apart.values().stream().allMatch(puts -> puts == 0);
        recording = null;
        apart.clear();
        return cameBack;
    }

    boolean records(Stream s) {
        return s.equals(recording);
    }

    /** What was recorded last. */
    List<Step> recorded() {
        recordedStreams = (int) Math.max(recordedStreams, recorded.stream().map(Step::on).distinct().count());
        return recorded;
    }

    /** Streams that were recorded beside it, and events, are each replay's own. */
    void replay(List<Step> steps, Stream on) {
        Map<Stream, Stream> mapped = new HashMap<>();
        steps.stream().limit(1).forEach(s -> mapped.put(s.on(), on));
        Map<Event, Event> events = new HashMap<>();
        for (Step s : steps) {
            Stream to = mapped.computeIfAbsent(s.on(), _ -> {
                Stream beside = new Stream(--own);
                add(beside);
                return beside;
            });
            switch (s) {
                case Step.Put(Stream _, Work w) -> streams.get(to).add(w);
                case Step.Mark(Stream _, Event e, int _) -> {
                    Event mark = events.computeIfAbsent(e, _ -> new Event(--own));
                    streams.get(to).add(new Work(() -> {
                        reached.put(mark, 1L);
                        clock--;
                    }, () -> true));
                }
                case Step.Follow(Stream _, Event e) -> {
                    Event mark = events.get(e);
                    streams.get(to).add(new Work(() -> clock--, () -> reached.containsKey(mark)));
                }
            }
        }
        // By then they have come back.
        put(on, () -> {
            clock--;
            mapped.values().stream().filter(s -> s != on).forEach(streams::remove);
            events.values().forEach(reached::remove);
        });
    }
}
