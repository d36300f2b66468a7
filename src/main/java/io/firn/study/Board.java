package io.firn.study;

import io.firn.study.schedule.Entry;
import io.firn.study.schedule.Scheduler;
import java.io.PrintStream;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;

/**
 * How a study gets on, on standard error: on a terminal a table of what runs, drawn over itself; elsewhere a line when a run
 * starts or ends.
 */
final class Board implements Scheduler.Watcher {
    private static final long REDRAW_NS = 500_000_000;
    private static final int BAR = 20;

    private final PrintStream err;
    private final boolean isTerminal;
    private final StudyFolder folder;
    private final Map<String, Entry> told = new HashMap<>();
    private int drawn;
    private long drawnAt;

    Board(StudyFolder folder, PrintStream err) {
        this.folder = folder;
        this.err = err;
        isTerminal = Boolean.getBoolean("firn.terminal");
    }

    @Override
    public void changed(SequencedMap<String, Entry> entries, Map<String, Scheduler.Progress> running, double secondsLeft) {
        boolean hasChanged = false;
        for (var e : entries.entrySet()) {
            Entry now = e.getValue();
            if (!now.equals(told.put(e.getKey(), now))) {
                hasChanged = true;
                say(e.getKey(), now, secondsLeft);
            }
        }
        if (hasChanged) {
            folder.keep(entries);
        }
        if (isTerminal && (hasChanged || System.nanoTime() - drawnAt > REDRAW_NS)) {
            draw(entries, running, secondsLeft);
        }
    }

    private void say(String name, Entry e, double secondsLeft) {
        String line = switch (e.status()) {
            case WAITING -> e.problem().isEmpty() ? "" : "%s failed and is tried again: %s".formatted(name, e.problem());
            case RUNNING -> isTerminal ? "" : "%s started on %s; %s left".formatted(name, e.device(), time(secondsLeft));
            case DONE -> "%s done after %s".formatted(name, time(e.seconds()));
            case FAILED -> "%s failed: %s".formatted(name, e.problem());
        };
        if (!line.isEmpty()) {
            erase();
            err.println(line);
        }
    }

    private void draw(SequencedMap<String, Entry> entries, Map<String, Scheduler.Progress> running, double secondsLeft) {
        erase();
        Map<Entry.Status, Integer> count = new HashMap<>();
        entries.values().forEach(e -> count.merge(e.status(), 1, Integer::sum));
        err.printf("%d runs: %d done, %d running, %d waiting, %d failed; %s left%n", entries.size(),
                count.getOrDefault(Entry.Status.DONE, 0), running.size(), count.getOrDefault(Entry.Status.WAITING, 0),
                count.getOrDefault(Entry.Status.FAILED, 0), time(secondsLeft));
        entries.forEach((name, e) -> {
            if (e.status() == Entry.Status.RUNNING) {
                Scheduler.Progress p = running.getOrDefault(name, new Scheduler.Progress(0, ""));
                int full = (int) Math.round(p.share() * BAR);
                err.printf(Locale.ROOT, "  %-28s %-8s %s%s %3.0f %%  %s%n", name, e.device(), "█".repeat(full),
                        "░".repeat(BAR - full), 100 * p.share(), p.said());
            }
        });
        drawn = 1 + running.size();
        drawnAt = System.nanoTime();
    }

    /** Takes the table off the screen. */
    private void erase() {
        if (drawn > 0) {
            err.print("\033[" + drawn + "A\033[J");
            drawn = 0;
        }
    }

    /** 7384 → "2:03:04". */
    static String time(double seconds) {
        long s = Math.round(seconds);
        return "%d:%02d:%02d".formatted(s / 3600, s / 60 % 60, s % 60);
    }
}
