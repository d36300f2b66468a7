package io.firn.backend.cuda.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.backend.cuda.CudaLibraries;
import io.firn.backend.cuda.CudaLibrary;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The kernels compile for the GPUs that they are meant for, and keep what they compute with in registers. */
class NvrtcTest {
    private static final List<String> ARCHITECTURES = List.of("sm_80", "sm_90");
    /** The assembler keeps a word or two apart where that lets more blocks run at once. */
    private static final int MOST_SPILLED = 16;
    private static final Pattern SPILLS = Pattern.compile("(\\d+) bytes stack frame, (\\d+) bytes spill stores");
    private static final Pattern REGISTERS = Pattern.compile("Used (\\d+) registers");

    private static Nvrtc nvrtc;

    @BeforeAll
    static void load() {
        CudaLibraries.Entry library = CudaLibraries.find().entry(CudaLibrary.NVRTC);
        if (library.path().isEmpty()) {
            System.out.println("NvrtcTest is skipped: " + library.problem());
            Assumptions.abort(library.problem());
        }
        nvrtc = Nvrtc.load(library.path().get());
    }

    /** The widest case of each kernel: that with most channels at a time comes first in each list of cases. */
    @Test
    void oneOfEachKernelCompiles() {
        Map<String, KernelCase> first = new LinkedHashMap<>();
        KernelsTest.cases().forEach(c -> first.putIfAbsent(c.calls().calls().getFirst().source().entry().replaceAll("_[0-9a-f]+$", ""), c));
        compile(first.values().stream());
    }

    @Tag("slow")
    @Test
    void allCompile() {
        compile(KernelsTest.every().stream());
    }

    private static void compile(Stream<KernelCase> cases) {
        Map<String, String> distinct = new LinkedHashMap<>();
        Map<String, KernelSource> sources = new LinkedHashMap<>();
        cases.forEach(c -> c.sources().forEach(s -> {
            sources.put(s.entry(), s);
            distinct.putIfAbsent(s.entry(), c.toString());
        }));
        CudnnCopiesTest.sources().forEach(s -> {
            sources.put(s.entry(), s);
            distinct.put(s.entry(), "around a graph of cuDNN's");
        });
        List<String> lines = Collections.synchronizedList(new ArrayList<>());
        List<String> spilled = Collections.synchronizedList(new ArrayList<>());
        sources.values().parallelStream().forEach(s -> {
            StringBuilder line = new StringBuilder(s.entry());
            for (String architecture : ARCHITECTURES) {
                String log = nvrtc.compile(s, architecture, "--ptxas-options=-v").log();
                Matcher spills = SPILLS.matcher(log);
                Matcher registers = REGISTERS.matcher(log);
                assertThat(spills.find() && registers.find()).as(log).isTrue();
                line.append(", %s: %s registers, %s bytes spilled".formatted(architecture, registers.group(1), spills.group(2)));
                if (Integer.parseInt(spills.group(2)) > MOST_SPILLED) {
                    spilled.add(s.entry() + " for " + architecture);
                }
            }
            lines.add(line + " (" + distinct.get(s.entry()) + ")");
        });
        lines.sort(Comparator.naturalOrder());
        lines.forEach(System.out::println);
        assertThat(spilled).isEmpty();
    }
}
