package io.firn.train;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.firn.backend.Machine;
import io.firn.files.AtomicFile;
import io.firn.plan.Target;
import io.firn.plan.TuningTable;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;

/**
 * Where a process of a run ran, and how it was asked for: a line of {@code environment.jsonl}, one for each process.
 *
 * @param started   when, in UTC
 * @param command   the command line's words; empty for a training that a Java program asked for
 * @param step      steps that were done before
 * @param steps     of the whole run
 * @param firn      its version; null where it was not packaged
 * @param libraries what computes, with versions
 */
record Environment(String started, List<String> command, long step, long steps, String firn, String java, String system,
                   Machine machine, Target target, String libraries) {
    private static final JsonMapper JSON = JsonMapper.builder()
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE).build();

    static Environment here(Setup s, List<String> command, long step) {
        return new Environment(Instant.now().truncatedTo(ChronoUnit.SECONDS).toString(), command, step, s.totalSteps(),
                Environment.class.getPackage().getImplementationVersion(),
                System.getProperty("java.vm.name") + " " + Runtime.version(),
                "%s %s %s".formatted(System.getProperty("os.name"), System.getProperty("os.version"),
                        System.getProperty("os.arch")),
                Machine.here(), s.backend().target(), s.backend().kernels(TuningTable.EMPTY).versions());
    }

    /** Adds its line to a run's file. */
    void append(Path file) {
        try {
            String before = Files.exists(file) ? Files.readString(file) : "";
            AtomicFile.write(file, (before + JSON.writeValueAsString(this) + "\n").getBytes(StandardCharsets.UTF_8));
        } catch (JacksonException e) {
            throw new IllegalStateException(e);
        } catch (IOException e) {
            throw AtomicFolder.cannotWrite(file, e);
        }
    }
}
