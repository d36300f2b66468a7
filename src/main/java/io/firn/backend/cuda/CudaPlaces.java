package io.firn.backend.cuda;

import java.io.File;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.bytedeco.javacpp.Loader;

/** The folders in which NVIDIA's libraries may lie, in the order in which they are looked through. */
final class CudaPlaces {
    /** Environment variable: folders, separated by colons, that come first; each may be a Python environment as well. */
    static final String LIBRARIES = "FIRN_CUDA_LIBS";
    private static final long PYTHON_SECONDS = 5;

    private final Map<String, String> environment;

    CudaPlaces(Map<String, String> environment) {
        this.environment = environment;
    }

    /** @param source whose folder it is, for {@code firn info} */
    record Place(String source, Path folder) {
    }

    List<Place> all() {
        List<Place> places = new ArrayList<>();
        folders(LIBRARIES).forEach(f -> given(LIBRARIES, f, places));
        for (String name : List.of("VIRTUAL_ENV", "CONDA_PREFIX")) {
            folders(name).forEach(f -> given(name, f, places));
        }
        for (String name : List.of("CUDA_HOME", "CUDA_PATH")) {
            folders(name).forEach(f -> toolkit(name, f, places));
        }
        children(Path.of("/usr/local"), "cuda*").forEach(f -> toolkit("CUDA toolkit", f, places));
        folders("LD_LIBRARY_PATH").forEach(f -> places.add(new Place("LD_LIBRARY_PATH", f)));
        for (String f : List.of("/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib")) {
            places.add(new Place("distribution", Path.of(f)));
        }
        pythonPackages().forEach(f -> wheels("python3", f, places));
        redist(places);
        return places.stream().filter(p -> Files.isDirectory(p.folder)).distinct().toList();
    }

    /** The folders that a variable lists. */
    private List<Path> folders(String variable) {
        String value = environment.getOrDefault(variable, "");
        return Stream.of(value.split(File.pathSeparator)).filter(s -> !s.isBlank()).map(Path::of).toList();
    }

    /** A folder of libraries, one of packages, or a Python environment. */
    private static void given(String source, Path folder, List<Place> places) {
        places.add(new Place(source, folder));
        wheels(source, folder, places);
        children(folder.resolve("lib"), "python3*").forEach(f -> wheels(source, f.resolve("site-packages"), places));
        places.add(new Place(source, folder.resolve("lib")));
    }

    private static void wheels(String source, Path packages, List<Place> places) {
        children(packages.resolve("nvidia"), "*").forEach(f -> places.add(new Place(source, f.resolve("lib"))));
    }

    private static void toolkit(String source, Path folder, List<Place> places) {
        for (String name : List.of("lib64", "lib", "targets/x86_64-linux/lib")) {
            places.add(new Place(source, folder.resolve(name)));
        }
    }

    /** Where the default Python keeps its packages; asked for, since there is no other way to know. */
    private static List<Path> pythonPackages() {
        try {
            Process python = new ProcessBuilder("python3", "-c",
                    "import site; print('\\n'.join([*site.getsitepackages(), site.getusersitepackages()]))")
                    .redirectError(ProcessBuilder.Redirect.DISCARD).redirectInput(new File("/dev/null")).start();
            try {
                if (!python.waitFor(PYTHON_SECONDS, TimeUnit.SECONDS) || python.exitValue() != 0) {
                    return List.of();
                }
                return python.inputReader().lines().map(Path::of).toList();
            } finally {
                python.destroyForcibly();
            }
        } catch (IOException e) {
            return List.of();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return List.of();
        }
    }

    /** JavaCPP unpacks what Bytedeco's redist jars on the class path hold into its cache. */
    private static void redist(List<Place> places) {
        for (CudaLibrary l : CudaLibrary.values()) {
            var resource = CudaPlaces.class.getResource("/org/bytedeco/cuda/linux-x86_64/" + l.file());
            if (resource != null) {
                try {
                    places.add(new Place("Bytedeco redist jar", Loader.cacheResource(resource).toPath().getParent()));
                } catch (IOException e) {
                    // What cannot be unpacked is not there.
                    continue;
                }
            }
        }
    }

    private static List<Path> children(Path folder, String pattern) {
        List<Path> found = new ArrayList<>();
        if (Files.isDirectory(folder)) {
            try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, pattern)) {
                files.forEach(found::add);
            } catch (IOException e) {
                return List.of();
            }
        }
        // The newest toolkit first, and the same order every time.
        return found.stream().sorted(Comparator.reverseOrder()).toList();
    }
}
