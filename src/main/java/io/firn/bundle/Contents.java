package io.firn.bundle;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What a bundle holds of the class path: of native libraries and their bindings only what Firn loads. */
public enum Contents {
    /** The GPU backend alone: neither the CPU's nor image decoding. */
    CUDA,
    /** Everything. */
    ALL;

    private static final Pattern NATIVES = Pattern.compile("([a-z]+)-.*-linux-x86_64\\.jar");
    private static final Pattern BINDING = Pattern.compile(
            "org/(?:bytedeco/(?:cuda|opencv|openblas)|(opencv))/(?:global/)?+([a-z_0-9]+)(?:/.*|[.$].*)");
    private static final Set<String> NOT_FOR_CUDA = Set.of("dnnl", "opencl", "opencv", "openblas");
    /** What is only there to build with, or for other languages. */
    private static final List<String> NEVER = List.of("/include/", "/python/", "/share/", "/lib/",
            "META-INF/maven/");
    /** Of libraries that have more than Firn loads: names that a file begins with. */
    private static final Map<String, List<String>> LOADED = Map.of(
            "cuda", List.of("libjnicudart.", "libjnicublas.", "libjnicudnn."),
            "opencv", List.of("libopencv_core.", "libopencv_imgproc.", "libopencv_imgcodecs.", "libjniopencv_core.",
                    "libjniopencv_imgproc.", "libjniopencv_imgcodecs."),
            "openblas", List.of("libopenblas.", "libjniopenblas.", "libjniopenblas_nolapack.", "libgfortran.", "libquadmath.",
                    "libgcc_s."));

    /** Of bindings that have more than Firn uses: the packages that it does. */
    private static final Set<String> BOUND = Set.of("cudart", "cublas", "cudnn", "openblas", "openblas_nolapack", "opencv_core",
            "opencv_imgproc", "opencv_imgcodecs", "presets", "helper");
    /** For other machines, other ways of building, and other kinds of page. (META-INF/maven tells JavaCPP its versions.) */
    private static final Pattern ELSEWHERE = Pattern.compile("org/jline/nativ/(?!Linux/x86_64/)[A-Za-z]+/.*"
            + "|META-INF/native-image/.*|.*/dist/uPlot\\.(cjs|esm|iife)\\.js");

    /** Whether any of a jar is taken. */
    boolean takes(String jar) {
        Matcher m = NATIVES.matcher(jar);
        return this == ALL || !m.matches() || !NOT_FOR_CUDA.contains(m.group(1));
    }

    /** Whether a file of a jar is taken, if the jar is. */
    boolean takes(String jar, String entry) {
        if (ELSEWHERE.matcher(entry).matches()) {
            return false;
        }
        Matcher m = NATIVES.matcher(jar);
        if (!m.matches()) {
            Matcher binding = BINDING.matcher(entry);
            return !binding.matches() || binding.group(1) == null && BOUND.contains(binding.group(2));
        }
        String file = entry.substring(entry.lastIndexOf('/') + 1);
        List<String> loaded = LOADED.get(m.group(1));
        boolean library = file.startsWith("lib") && file.contains(".so");
        return NEVER.stream().noneMatch(entry::contains)
                && (!library || loaded == null || loaded.stream().anyMatch(file::startsWith));
    }
}
