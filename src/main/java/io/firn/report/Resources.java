package io.firn.report;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Path;

/**
 * A run's {@code resources.jsonl}, added up: what its steps took of the machine.
 *
 * @param inputWait share of the steps' time in which images were waited for
 * @param resident  the most memory that the process was seen to take, in bytes
 * @param speedNow  images a second, by the last line
 * @param waitNow   share of the time in which images were waited for, by the last line
 */
record Resources(double inputWait, long resident, double speedNow, double waitNow) {

    static Resources read(Path file) throws IOException {
        Sum sum = new Sum();
        JsonLines.read(file, sum::line);
        if (sum.seconds == 0) {
            throw new IOException("has no line");
        }
        return new Resources(sum.waited / sum.seconds, sum.resident, sum.speed, sum.wait);
    }

    private static final class Sum {
        private double seconds;
        private double waited;
        private long resident;
        private double speed;
        private double wait;

        boolean line(JsonNode n) {
            double took = JsonLines.number(n, "seconds");
            wait = JsonLines.number(n, "input_wait");
            speed = JsonLines.number(n, "images_per_s");
            if (!Double.isFinite(took * wait)) {
                return false;
            }
            seconds += took;
            waited += took * wait;
            resident = Math.max(resident, n.path("resident_bytes").asLong());
            return true;
        }
    }
}
