package io.firn.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.backend.cuda.kernels.Shim;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import org.junit.jupiter.api.Assumptions;

/** NVIDIA's libraries for the tests that need them; the others are skipped, and say why. */
public final class CudaFixture {
    private static final CudaLibraries FOUND = CudaLibraries.find();

    private CudaFixture() {
    }

    /** What this machine has, ready to plan with; ends the test as skipped where it does not suffice. */
    public static CudaLibraries libraries() {
        String problem = FOUND.problem(EnumSet.of(CudaLibrary.CUDNN));
        if (!problem.isEmpty()) {
            System.out.println("skipped, cuDNN cannot be used here: " + problem);
        }
        Assumptions.assumeTrue(problem.isEmpty(), problem);
        return FOUND;
    }

    /** CUDA's headers; ends the test as skipped where there are none. */
    static Path headers() {
        if (FOUND.headers().isEmpty()) {
            System.out.println("skipped, CUDA's headers (cuda.h) are not found");
        }
        Assumptions.assumeTrue(FOUND.headers().isPresent(), "CUDA's headers are not found");
        return FOUND.headers().get();
    }

    /** Compiles a source beside the tests into a library, in a folder. */
    static SymbolLookup library(String source, Path folder, Path... headers) throws IOException, InterruptedException {
        Shim.missing().ifPresent(Assumptions::abort);
        Path cpp = folder.resolve(source);
        try (InputStream in = CudaFixture.class.getResourceAsStream(source)) {
            Files.copy(in, cpp);
        }
        Path so = folder.resolve(source.replace(".cpp", ".so"));
        List<String> words = new ArrayList<>(List.of("g++", "-std=c++17", "-shared", "-fPIC", "-o", so.toString(), cpp.toString()));
        List.of(headers).forEach(h -> words.add("-I" + h));
        Process cc = new ProcessBuilder(words).redirectErrorStream(true).start();
        String said = new String(cc.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(cc.waitFor()).as(said).isZero();
        return SymbolLookup.libraryLookup(so, Arena.global());
    }

    /** Loads cuDNN for planning; ends the test as skipped where it is missing. */
    public static void loadCudnn() {
        libraries().loadForPlanning(EnumSet.of(CudaLibrary.CUDNN), cache());
    }

    /** Survives the build's cleaning no more than any of its outputs. */
    public static Path cache() {
        return Path.of("target", "cuda-cache");
    }
}
