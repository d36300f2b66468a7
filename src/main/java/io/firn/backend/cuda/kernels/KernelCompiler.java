package io.firn.backend.cuda.kernels;

/** Turns a kernel's source into machine code. */
public interface KernelCompiler {

    /** What the code that it makes may depend on, such as 13.0. */
    String version();

    /**
     * Compiles to a cubin.
     *
     * @param architecture such as {@code sm_90}
     * @throws IllegalStateException where the compiler refuses the source, with its own words
     */
    byte[] compile(KernelSource source, String architecture);
}
