package io.firn.cli;

import io.firn.backend.Backend;
import io.firn.backend.cuda.CudaLibraries;
import io.firn.plan.TuningTable;
import io.firn.train.Devices;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.bytedeco.dnnl.global.dnnl;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.opencv.global.opencv_core;

/**
 * A native library that Firn uses.
 *
 * @param version empty where it did not load
 * @param path    where it was found
 * @param problem why it did not load; empty where it did
 */
record Library(String name, String version, String path, String problem) {

    /** All of them, loaded from where a command would load them. */
    static List<Library> all(Devices devices, int threads) {
        return List.of(
                of("oneDNN", () -> Loader.load(dnnl.class), () -> oneDnn(devices, threads)),
                of("OpenCV", () -> Loader.load(opencv_core.class), Library::openCv),
                of("JavaCPP", () -> jar(Loader.class), Loader::getVersion));
    }

    /** NVIDIA's, of which none is loaded for good. */
    static List<Library> of(CudaLibraries cuda) {
        return cuda.libraries().stream().map(e -> new Library(e.library().label(), e.version(),
                e.path().map(p -> "%s (%s)".formatted(p, e.source())).orElse(""), e.problem())).toList();
    }

    private static String oneDnn(Devices devices, int threads) {
        try (Backend cpu = devices.open("cpu", threads)) {
            return cpu.kernels(TuningTable.EMPTY).versions();
        }
    }

    private static String openCv() {
        return "%d.%d.%d".formatted(opencv_core.getVersionMajor(), opencv_core.getVersionMinor(),
                opencv_core.getVersionRevision());
    }

    private static Library of(String name, Callable<String> path, Callable<?> version) {
        try {
            String found = path.call();
            return new Library(name, String.valueOf(version.call()), found, "");
        } catch (Exception | LinkageError e) {
            return new Library(name, "", "", String.valueOf(e.getMessage()));
        }
    }

    private static String jar(Class<?> type) throws URISyntaxException {
        return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI()).toString();
    }
}
