package io.firn.study;

import io.firn.train.Devices;
import java.io.PrintStream;
import java.nio.file.Path;

/**
 * Where and how a study is run, whichever it is.
 *
 * @param output  its folder
 * @param site    where its trainings run
 * @param log     where progress and remarks go
 * @param signals whether Ctrl-C and SIGTERM end it with all runs in a state that they can go on from
 */
public record StudyRequest(Path output, Site site, Devices devices, PrintStream log, boolean signals) {

    void say(String line) {
        log.println(line);
    }
}
