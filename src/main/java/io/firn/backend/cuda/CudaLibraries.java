package io.firn.backend.cuda;

import io.firn.backend.cuda.CudaPlaces.Place;
import io.firn.error.UserError;
import java.io.IOException;
import java.net.MalformedURLException;
import java.net.URL;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.bytedeco.javacpp.Loader;

/**
 * Which of NVIDIA's libraries were found on this machine, and where: in a CUDA toolkit, in Python's packages, among the
 * system's libraries or in Bytedeco's redist jars.
 *
 * @param libraries one entry each
 * @param headers   folder of CUDA's headers (cuda.h, cuda_bf16.h), which NVRTC includes
 */
public record CudaLibraries(List<Entry> libraries, Optional<Path> headers) {

    private static final String NO_HEADERS = "CUDA's headers (cuda.h) are not found; pip install "
            + CudaLibrary.CUDART.wheel();

    /** Where they were not looked for. */
    static final CudaLibraries NONE = new CudaLibraries(List.of(), Optional.empty());

    public CudaLibraries {
        libraries = List.copyOf(libraries);
    }

    /**
     * A library.
     *
     * @param path    its file; empty where none can be used
     * @param source  of what it is a part, such as {@code CUDA toolkit}
     * @param version as it states it
     * @param problem why there is none; empty where there is
     */
    public record Entry(CudaLibrary library, Optional<Path> path, String source, String version, String problem) {
    }

    /** Looks for them. Loads each for a moment to ask for its version: tenths of a second. */
    public static CudaLibraries find() {
        return find(System.getenv());
    }

    static CudaLibraries find(Map<String, String> environment) {
        List<Place> places = new CudaPlaces(environment).all();
        List<Entry> entries = new ArrayList<>();
        for (CudaLibrary l : CudaLibrary.values()) {
            entries.add(find(l, places));
        }
        return new CudaLibraries(entries, headers(entries));
    }

    private static Entry find(CudaLibrary l, List<Place> places) {
        String refused = "";
        for (Place p : places) {
            Path file = p.folder().resolve(l.file());
            if (!Files.isRegularFile(file)) {
                if (refused.isEmpty()) {
                    refused = otherVersion(l, p.folder());
                }
                continue;
            }
            CudaLibrary.Answer answer = l.ask(file);
            if (answer.problem().isEmpty()) {
                return new Entry(l, Optional.of(file), p.source(), answer.version(), "");
            }
            if (refused.isEmpty()) {
                refused = "%s%s: %s".formatted(file, answer.version().isEmpty() ? "" : " is " + answer.version(),
                        answer.problem());
            }
        }
        return new Entry(l, Optional.empty(), "", "", "%s; pip install %s%s".formatted(
                refused.isEmpty() ? "not found" : refused, l.wheel(), l.only().isEmpty() ? "" : " (" + l.only() + ")"));
    }

    /** Says so where a folder has this library in another major version, such as CUDA 12's. */
    private static String otherVersion(CudaLibrary l, Path folder) {
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, l.stem() + "[0-9]*")) {
            for (Path f : files) {
                String version = f.getFileName().toString().substring(l.stem().length());
                if (version.matches("\\d+") && !f.endsWith(l.file())) {
                    return l.hasCudasVersion() ? "%s is of CUDA %s, and Firn needs CUDA 13 (%s)".formatted(f, version, l.file())
                            : "%s is of another version than Firn needs (%s)".formatted(f, l.file());
                }
            }
            return "";
        } catch (IOException e) {
            return "";
        }
    }

    /** Beside the runtime, as toolkits and wheels have them, or the system's. */
    private static Optional<Path> headers(List<Entry> entries) {
        List<Path> folders = new ArrayList<>();
        for (CudaLibrary l : List.of(CudaLibrary.CUDART, CudaLibrary.NVRTC)) {
            entries.get(l.ordinal()).path().ifPresent(p -> {
                folders.add(p.toAbsolutePath().getParent().resolveSibling("include"));
                folders.add(p.toAbsolutePath().getParent().getParent().resolve("targets/x86_64-linux/include"));
            });
        }
        folders.add(Path.of("/usr/include"));
        return folders.stream().filter(f -> Files.isRegularFile(f.resolve("cuda.h"))
                && Files.isRegularFile(f.resolve("cuda_bf16.h"))).findFirst();
    }

    /** Why cuDNN cannot be asked for the engines of a GPU that need not be here, one line; empty where it can. */
    public String planningProblem() {
        String problem = problem(PlanningEngines.NEEDED);
        return problem.isEmpty() && !CudaDriver.probe().installed() && headers.isEmpty() ? NO_HEADERS : problem;
    }

    /** What there is of a library. */
    public Entry entry(CudaLibrary l) {
        return libraries.get(l.ordinal());
    }

    /** Why these cannot be used, one line; empty where they can. */
    public String problem(Set<CudaLibrary> wanted) {
        List<Entry> missing = withNeeds(wanted).stream().map(this::entry).filter(e -> e.path().isEmpty()).toList();
        return missing.isEmpty() ? "" : String.join("; ", missing.stream()
                .map(e -> e.library().label() + ": " + e.problem()).toList());
    }

    /**
     * Loads these for a process that runs on a GPU, so that the presets bind to them and to no others.
     *
     * @throws UserError where one is missing
     */
    public void load(Set<CudaLibrary> wanted) {
        require(wanted);
        withNeeds(wanted).forEach(this::load);
    }

    /**
     * Loads these for a process that only plans: on a machine without a driver a stand-in takes its place, and no GPU can be
     * used by this process any more.
     *
     * @param cache folder to keep the stand-in in
     * @throws UserError where one is missing, or the stand-in cannot be built
     */
    public void loadForPlanning(Set<CudaLibrary> wanted, Path cache) {
        require(wanted);
        if (!CudaDriver.probe().installed()) {
            Path include = headers.orElseThrow(() -> UserError.other("%s", NO_HEADERS));
            String problem = DriverStub.load(include, cache);
            if (!problem.isEmpty()) {
                throw UserError.other("%s", problem);
            }
        }
        load(wanted);
    }

    private void require(Set<CudaLibrary> wanted) {
        String problem = problem(wanted);
        if (!problem.isEmpty()) {
            throw UserError.other("%s", problem);
        }
    }

    /** In an order in which they load. */
    private static Set<CudaLibrary> withNeeds(Set<CudaLibrary> wanted) {
        Set<CudaLibrary> all = EnumSet.noneOf(CudaLibrary.class);
        for (CudaLibrary l : wanted) {
            all.addAll(l.needs());
            all.add(l);
        }
        return all;
    }

    /** Under the presets' own names, or JavaCPP would look for them once more and might find others. */
    private void load(CudaLibrary l) {
        Path file = entry(l).path().orElseThrow();
        for (String part : l.parts()) {
            String[] name = part.split("@");
            Path f = file.resolveSibling("lib" + name[0] + ".so" + name[1]);
            try {
                Loader.loadLibrary(CudaLibraries.class, new URL[] {f.toUri().toURL()}, part);
            } catch (MalformedURLException | UnsatisfiedLinkError e) {
                throw UserError.other("%s of %s does not load: %s", f, l.label(), e.getMessage());
            }
        }
    }
}
