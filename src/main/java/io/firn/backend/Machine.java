package io.firn.backend;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/**
 * This machine, as far as this process may use it.
 *
 * @param processor    its model's name
 * @param cores        that this process may run on
 * @param instructions sets that matter to training: {@code avx2}, {@code avx512}, {@code avx512_bf16}, {@code amx}
 * @param memory       bytes, a container's limit included
 * @param freeMemory   bytes that can be had without swapping
 */
public record Machine(String processor, int cores, List<String> instructions, long memory, long freeMemory) {
    private static final Path CPU = Path.of("/proc/cpuinfo");

    /** An instruction set and the processor flags that make it up: what oneDNN asks for. */
    private record InstructionSet(String name, List<String> flags) {
    }

    private static final List<InstructionSet> KNOWN = List.of(
            new InstructionSet("avx2", List.of("avx2", "fma")),
            new InstructionSet("avx512", List.of("avx512f", "avx512bw", "avx512vl", "avx512dq")),
            new InstructionSet("avx512_bf16", List.of("avx512_bf16")),
            new InstructionSet("amx", List.of("amx_tile", "amx_bf16")));

    public Machine {
        instructions = List.copyOf(instructions);
    }

    public static Machine here() {
        var system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
        List<String> cpu = lines(CPU);
        long available = HostMemory.available();
        return new Machine(name(cpu), Runtime.getRuntime().availableProcessors(), instructions(value(cpu, "flags")),
                system.getTotalMemorySize(), Math.min(available, system.getTotalMemorySize()));
    }

    private static String name(List<String> cpu) {
        String name = value(cpu, "model name");
        return name.isEmpty() ? System.getProperty("os.arch") : name;
    }

    static List<String> instructions(String flags) {
        Set<String> present = Set.copyOf(Arrays.asList(flags.split(" ")));
        return KNOWN.stream().filter(k -> present.containsAll(k.flags)).map(InstructionSet::name).toList();
    }

    /** What stands after the first line's colon that begins with the key; empty where there is none. */
    private static String value(List<String> lines, String key) {
        return lines.stream().filter(l -> l.startsWith(key)).findFirst()
                .map(l -> l.substring(l.indexOf(':') + 1).strip()).orElse("");
    }

    private static List<String> lines(Path file) {
        try (Stream<String> lines = Files.lines(file)) {
            return lines.toList();
        } catch (IOException | UncheckedIOException e) {
            return List.of();
        }
    }
}
