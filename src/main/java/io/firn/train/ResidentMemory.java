package io.firn.train;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** This process's resident memory as Linux counts it: what it takes beyond an earlier moment. */
final class ResidentMemory {
    private static final Path STATUS = Path.of("/proc/self/status");
    private final long before;
    private final long peakBefore;

    private ResidentMemory(long before, long peakBefore) {
        this.before = before;
        this.peakBefore = peakBefore;
    }

    /** The moment to compare with. */
    static ResidentMemory now() {
        return new ResidentMemory(bytes("VmRSS:"), bytes("VmHWM:"));
    }

    /** Bytes of this process that are resident now; 0 where the system does not say. */
    static long bytes() {
        return bytes("VmRSS:");
    }

    /** Bytes by which the process has grown since then at its largest; an older, higher peak hides one in between. */
    long growth() {
        long peak = bytes("VmHWM:");
        return Math.max(0, (peak > peakBefore ? peak : bytes("VmRSS:")) - before);
    }

    private static long bytes(String key) {
        try (var lines = Files.lines(STATUS)) {
            return lines.filter(l -> l.startsWith(key)).mapToLong(l -> 1024 * Long.parseLong(l.replaceAll("\\D", "")))
                    .findFirst().orElse(0);
        } catch (IOException e) {
            return 0;
        }
    }
}
