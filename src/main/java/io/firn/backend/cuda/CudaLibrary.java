package io.firn.backend.cuda;

import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalLong;

/**
 * NVIDIA's libraries that Firn uses. What a file holds is asked by the library's own version function before any binding
 * is loaded on it: a binding that calls a symbol which the library lacks ends the process.
 */
public enum CudaLibrary {
    CUDART("CUDA runtime", "libcudart.so.13", "nvidia-cuda-runtime", 13_000, 14_000, List.of("cudart@.13"), List.of()),
    NVRTC("NVRTC", "libnvrtc.so.13", "nvidia-cuda-nvrtc", 13_000, 14_000, List.of("nvrtc@.13"), List.of(CUDART)),
    CUBLAS_LT("cuBLASLt", "libcublasLt.so.13", "nvidia-cublas", 130_000, 140_000, List.of("cublasLt@.13"),
            List.of(CUDART)),
    CUBLAS("cuBLAS", "libcublas.so.13", "nvidia-cublas", 130_000, 140_000, List.of("cublas@.13"),
            List.of(CUDART, CUBLAS_LT)),
    /** 9.8 is the first that plans without a device. */
    CUDNN("cuDNN", "libcudnn.so.9", "nvidia-cudnn-cu13", 90_800, 100_000, List.of("cudnn@.9", "cudnn_graph@.9",
            "cudnn_ops@.9", "cudnn_engines_precompiled@.9", "cudnn_engines_runtime_compiled@.9", "cudnn_heuristic@.9",
            "cudnn_cnn@.9", "cudnn_adv@.9"), List.of(CUDART, NVRTC, CUBLAS_LT, CUBLAS)),
    NCCL("NCCL", "libnccl.so.2", "nvidia-nccl-cu13", 22_700, 30_000, List.of("nccl@.2"),
            List.of(CUDART)),
    /** States no version but that of its interface, in its name. */
    NVTX("NVTX", "libnvtx3interop.so.1", "nvidia-nvtx", 3, 4, List.of(), List.of());

    private static final int CUDA_13 = 13_000;
    private static final byte[] ELF = {0x7F, 'E', 'L', 'F'};

    private final String label;
    private final String file;
    private final String wheel;
    private final long least;
    private final long below;
    private final List<String> parts;
    private final List<CudaLibrary> needs;

    CudaLibrary(String label, String file, String wheel, long least, long below, List<String> parts,
                List<CudaLibrary> needs) {
        this.label = label;
        this.file = file;
        this.wheel = wheel;
        this.least = least;
        this.below = below;
        this.parts = parts;
        this.needs = needs;
    }

    public String label() {
        return label;
    }

    /** Its name, with the major version of its interface. */
    String file() {
        return file;
    }

    /** The name's part before the version. */
    String stem() {
        return file.substring(0, file.lastIndexOf('.') + 1);
    }

    /** Python's package that brings it. */
    String wheel() {
        return wheel;
    }

    /** Its files as the presets name them, in the order in which they depend on each other. */
    List<String> parts() {
        return parts;
    }

    /** For what alone it is wanted; empty where no GPU computes without it. */
    String only() {
        return switch (this) {
            case CUDART, NVRTC, CUBLAS_LT, CUBLAS, CUDNN -> "";
            case NCCL -> "only for several GPUs";
            case NVTX -> "only for names in profilers";
        };
    }

    /** Whether its interface has CUDA's major version, so that another version of it is of another CUDA. */
    boolean hasCudasVersion() {
        return file.endsWith(".13");
    }

    /** Those without which it, or its preset, does not load. */
    List<CudaLibrary> needs() {
        return needs;
    }

    /** What a file says of itself. */
    record Answer(String version, String problem) {
    }

    /** Asks the library in this file for its version, and lets go of it. */
    Answer ask(Path path) {
        try (Arena arena = Arena.ofConfined(); InputStream in = Files.newInputStream(path)) {
            if (!Arrays.equals(in.readNBytes(ELF.length), ELF)) {
                return new Answer("", "is no library");
            }
            Calls calls = new Calls(SymbolLookup.libraryLookup(path, arena), arena);
            long version = version(calls);
            OptionalLong cuda = this == CUDNN ? OptionalLong.of(calls.size("cudnnGetCudartVersion")) : OptionalLong.empty();
            String text = text(version);
            if (cuda.isPresent() && cuda.getAsLong() < CUDA_13) {
                return new Answer(text, "made for CUDA %d, and Firn needs CUDA 13".formatted(cuda.getAsLong() / 1000));
            }
            return new Answer(text, version >= least && version < below ? ""
                    : "Firn needs %s or later, below %s".formatted(text(least), text(below)));
        } catch (Throwable e) {
            return new Answer("", "does not load: " + e.getMessage());
        }
    }

    private long version(Calls calls) throws Throwable {
        MemorySegment a = calls.arena().allocate(ValueLayout.JAVA_INT);
        MemorySegment b = calls.arena().allocate(ValueLayout.JAVA_INT);
        int status = switch (this) {
            case CUDART -> calls.status("cudaRuntimeGetVersion", a);
            case NVRTC -> calls.status("nvrtcVersion", a, b);
            case NCCL -> calls.status("ncclGetVersion", a);
            case CUBLAS_LT, CUBLAS, CUDNN, NVTX -> 0;
        };
        if (status != 0) {
            throw new IllegalStateException("asked for its version, it returns " + status);
        }
        return switch (this) {
            case CUDART, NCCL -> a.get(ValueLayout.JAVA_INT, 0);
            case NVRTC -> 1000L * a.get(ValueLayout.JAVA_INT, 0) + 10L * b.get(ValueLayout.JAVA_INT, 0);
            case CUBLAS_LT -> calls.size("cublasLtGetVersion");
            case CUBLAS -> property(calls, 0) * 10_000 + property(calls, 1) * 100 + property(calls, 2);
            case CUDNN -> calls.size("cudnnGetVersion");
            case NVTX -> {
                calls.library().findOrThrow(Nvtx.PUSH);
                calls.library().findOrThrow(Nvtx.POP);
                yield least;
            }
        };
    }

    /** A part of cuBLAS's version: libraryPropertyType 0 is the major, 1 the minor, 2 the patch. */
    private static long property(Calls calls, int type) throws Throwable {
        MemorySegment value = calls.arena().allocate(ValueLayout.JAVA_INT);
        int status = calls.status("cublasGetProperty", type, value);
        if (status != 0) {
            throw new IllegalStateException("cublasGetProperty returns " + status);
        }
        return value.get(ValueLayout.JAVA_INT, 0);
    }

    private String text(long v) {
        return switch (this) {
            case CUDART, NVRTC -> v / 1000 + "." + v % 1000 / 10;
            case NVTX -> String.valueOf(v);
            case CUBLAS_LT, CUBLAS, CUDNN, NCCL -> v / 10_000 + "." + v / 100 % 100 + "." + v % 100;
        };
    }
}
