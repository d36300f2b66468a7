package io.firn.backend;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is left of memory, by the files in which Linux says so. */
class HostMemoryTest {
    private static final long MB = 1 << 20;

    @TempDir
    private Path root;

    private void file(String name, String text) throws IOException {
        Path file = root.resolve(name);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    @Test
    void theMachinesWhereNoGroupSetsALimit() throws IOException {
        assertThat(HostMemory.available(root)).isEqualTo(Long.MAX_VALUE);
        file("proc/meminfo", "MemTotal:  9999 kB\nMemAvailable:    2048 kB\n");
        file("proc/self/cgroup", "0::/\n");
        file("sys/fs/cgroup/memory.max", "max\n");
        assertThat(HostMemory.available(root)).isEqualTo(2 * MB);
        assertThat(HostMemory.available()).isBetween(MB, 1L << 50);
    }

    @Test
    void theTightestOfNestedGroups() throws IOException {
        file("proc/meminfo", "MemAvailable: 999999 kB\n");
        file("proc/self/cgroup", "0::/outer/inner\n");
        file("sys/fs/cgroup/outer/memory.max", 20 * MB + "\n");
        file("sys/fs/cgroup/outer/memory.current", 15 * MB + "\n");
        file("sys/fs/cgroup/outer/memory.stat", "anon 1\ninactive_file " + 2 * MB + "\n");
        file("sys/fs/cgroup/outer/inner/memory.max", 50 * MB + "\n");
        assertThat(HostMemory.available(root)).isEqualTo(7 * MB);
    }

    @Test
    void versionOneOfControlGroups() throws IOException {
        file("proc/meminfo", "MemAvailable: 999999 kB\n");
        file("proc/self/cgroup", "5:cpu,cpuacct:/\n4:memory:/docker/x\n");
        file("sys/fs/cgroup/memory/memory.limit_in_bytes", 8 * MB + "\n");
        file("sys/fs/cgroup/memory/memory.usage_in_bytes", 3 * MB + "\n");
        assertThat(HostMemory.available(root)).isEqualTo(5 * MB);
        file("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        assertThat(HostMemory.available(root)).isEqualTo(999_999 * 1024L);
    }
}
