package io.firn.backend;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Function;

/** How much memory this process can still have: what the machine has free, and what its control groups leave it. */
public final class HostMemory {
    private static final long NO_LIMIT = Long.MAX_VALUE;

    private HostMemory() {
    }

    /** Bytes. */
    public static long available() {
        return available(Path.of("/"));
    }

    /** @param root of the file system, so that tests can have their own */
    static long available(Path root) {
        long free = lines(root.resolve("proc/meminfo")).stream().filter(l -> l.startsWith("MemAvailable:"))
                .mapToLong(l -> number(l.replaceAll("\\D", "")) * 1024).findFirst().orElse(NO_LIMIT);
        for (String line : lines(root.resolve("proc/self/cgroup"))) {
            // Version 2: "0::/path"; version 1: "4:memory:/path".
            String[] parts = line.split(":", 3);
            if (parts.length == 3 && parts[1].isEmpty()) {
                free = Math.min(free, least(root.resolve("sys/fs/cgroup"), parts[2], HostMemory::leftInVersion2));
            } else if (parts.length == 3 && List.of(parts[1].split(",")).contains("memory")) {
                free = Math.min(free, least(root.resolve("sys/fs/cgroup/memory"), parts[2], HostMemory::leftInVersion1));
            }
        }
        return free;
    }

    /** The tightest of a group's own limit and those of the groups around it. In a container the path may not exist. */
    private static long least(Path mount, String group, Function<Path, Long> left) {
        long least = left.apply(mount);
        Path path = mount;
        for (Path part : Path.of(group.replaceFirst("^/+", ""))) {
            path = path.resolve(part);
            least = Math.min(least, left.apply(path));
        }
        return least;
    }

    private static long leftInVersion2(Path group) {
        return left(group, "memory.max", "memory.current", "inactive_file ");
    }

    private static long leftInVersion1(Path group) {
        return left(group, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ");
    }

    /** Cached files count as used, but give way. */
    private static long left(Path group, String limit, String usage, String cache) {
        long most = lines(group.resolve(limit)).stream().mapToLong(HostMemory::number).findFirst().orElse(NO_LIMIT);
        if (most == NO_LIMIT) {
            return NO_LIMIT;
        }
        long used = lines(group.resolve(usage)).stream().mapToLong(HostMemory::number).findFirst().orElse(0);
        long cached = lines(group.resolve("memory.stat")).stream().filter(l -> l.startsWith(cache))
                .mapToLong(l -> number(l.substring(cache.length()))).findFirst().orElse(0);
        return Math.max(0, most - Math.max(0, used - cached));
    }

    /** The number, or no limit for "max" and for what is larger than any memory. */
    private static long number(String text) {
        return text.matches("\\d{1,18}") ? Long.parseLong(text) : NO_LIMIT;
    }

    private static List<String> lines(Path file) {
        try {
            return Files.readAllLines(file);
        } catch (IOException e) {
            return List.of();
        }
    }
}
