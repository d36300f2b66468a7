package io.firn.backend.cuda;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A driver library that knows no device, for a process that only plans on a machine without a driver: the presets and
 * cuDNN need one in order to load. Compiled once from {@code native/cuda/stub} by the machine's C compiler, with the
 * function names of the {@code cuda.h} that came with the libraries.
 */
final class DriverStub {
    /** The symbol by which {@link CudaDriver} knows it. */
    static final String MARK = "firnPlanningOnly";

    private static final String SOURCE = "/native/cuda/stub/libcuda.c";
    private static final String LIBRARY = "libcuda.so.1";
    private static final Pattern FUNCTION = Pattern.compile("\\bcu[A-Z]\\w*");
    private static final Pattern VERSION = Pattern.compile("#define CUDA_VERSION (\\d+)");
    /** Those that the source has itself. */
    private static final Set<String> WRITTEN = Set.of("cuDriverGetVersion", "cuDeviceGetCount", "cuGetExportTable",
            "cuGetErrorString", "cuGetErrorName", "cuGetProcAddress", "cuGetProcAddress_v2");
    private static final long SECONDS = 60;

    private DriverStub() {
    }

    /**
     * Loads it, built first where the cache has none. Never beside a driver.
     *
     * @param headers folder of cuda.h
     * @param cache   folder to keep it in
     * @return why it cannot be had; empty where it is loaded
     */
    static String load(Path headers, Path cache) {
        if (CudaDriver.probe().installed()) {
            throw new IllegalStateException("there is a driver library on this machine");
        }
        try {
            String header = Files.readString(headers.resolve("cuda.h"), StandardCharsets.ISO_8859_1);
            Matcher version = VERSION.matcher(header);
            if (!version.find()) {
                return "%s/cuda.h states no CUDA_VERSION".formatted(headers);
            }
            String source = source();
            Path library = cache.resolve("%s-%08x".formatted(version.group(1), source.hashCode())).resolve(LIBRARY);
            if (!Files.isRegularFile(library)) {
                String problem = build(source, functions(header), version.group(1), library);
                if (!problem.isEmpty()) {
                    return problem;
                }
            }
            System.load(library.toAbsolutePath().toString());
            return "";
        } catch (IOException | UnsatisfiedLinkError e) {
            return "no stand-in for the driver could be built: " + e.getMessage();
        }
    }

    private static String source() throws IOException {
        try (InputStream in = DriverStub.class.getResourceAsStream(SOURCE)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    /** Names of functions, and of types too, which does no harm. */
    static Set<String> functions(String header) {
        Set<String> names = new TreeSet<>();
        FUNCTION.matcher(header).results().forEach(r -> names.add(r.group()));
        names.removeAll(WRITTEN);
        return names;
    }

    private static String build(String source, Set<String> functions, String version, Path library) throws IOException {
        Files.createDirectories(library.getParent());
        Path work = Files.createTempDirectory(library.getParent(), "build");
        try {
            Files.writeString(work.resolve("libcuda.c"), source);
            Files.writeString(work.resolve("functions.h"),
                    String.join("", functions.stream().map("FUNCTION(%s)\n"::formatted).toList()));
            Process cc;
            try {
                cc = new ProcessBuilder("cc", "-shared", "-fPIC", "-O1", "-Wl,-soname," + LIBRARY, "-DCUDA_VERSION=" + version,
                        "-o", LIBRARY, "libcuda.c", "-ldl").directory(work.toFile()).redirectErrorStream(true)
                        .redirectOutput(work.resolve("log").toFile()).redirectInput(new File("/dev/null")).start();
            } catch (IOException e) {
                return "there is neither a driver nor a C compiler (cc) to build a stand-in for it";
            }
            if (!cc.waitFor(SECONDS, TimeUnit.SECONDS) || cc.exitValue() != 0) {
                cc.destroyForcibly();
                List<String> log = Files.readAllLines(work.resolve("log"));
                return "cc does not build the stand-in for the driver: " + (log.isEmpty() ? "no output" : log.getFirst());
            }
            // Another process may have put it there meanwhile; both are the same.
            Files.move(work.resolve(LIBRARY), library, StandardCopyOption.ATOMIC_MOVE);
            return "";
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return "interrupted while the stand-in for the driver was built";
        } finally {
            try (Stream<Path> files = Files.walk(work)) {
                for (Path p : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(p);
                }
            }
        }
    }
}
