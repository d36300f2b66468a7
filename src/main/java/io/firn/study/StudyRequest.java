package io.firn.study;

import io.firn.train.Devices;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.List;

/**
 * Where and how a study is run, whichever it is.
 *
 * @param output  its folder
 * @param jobs    runs at a time; 0 for as many as the machine has cores, or fewer where there are fewer runs
 * @param firn    the words that start Firn, for the runs' processes
 * @param log     where progress and remarks go
 * @param signals whether Ctrl-C and SIGTERM end it with all runs in a state that they can go on from
 */
public record StudyRequest(Path output, int jobs, List<String> firn, Devices devices, PrintStream log, boolean signals) {
    public StudyRequest {
        firn = List.copyOf(firn);
    }

    void say(String line) {
        log.println(line);
    }
}
