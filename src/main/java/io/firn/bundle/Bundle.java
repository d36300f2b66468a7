package io.firn.bundle;

import io.firn.error.UserError;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Comparator;
import java.util.List;
import java.util.function.Consumer;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.jar.JarOutputStream;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;
import java.util.zip.Deflater;
import java.util.zip.ZipEntry;

/**
 * Puts Firn, its libraries and a Java runtime into one archive, for machines that have neither Java nor a network:
 *
 * <pre>
 * firn/firn      the launcher
 * firn/runtime   Java, as far as Firn needs it (jlink)
 * firn/lib       the class path
 * </pre>
 */
public final class Bundle {
    private static final List<String> MODULES = List.of("java.base", "java.logging", "java.management",
            "java.net.http", "jdk.incubator.vector", "jdk.management", "jdk.unsupported");
    private static final String LAUNCHER = "/launcher/firn";

    private Bundle() {
    }

    /**
     * What was made.
     *
     * @param bytes of the archive
     */
    public record Made(String file, long bytes, Contents contents) {
    }

    /**
     * Makes one of what this process runs from.
     *
     * @param output a {@code .tar.gz}; replaced where it is there
     * @param say    takes a line about what takes long
     * @throws UserError where this Java has no jlink, or the place cannot be written
     */
    public static Made create(Path output, Contents contents, Consumer<String> say) {
        Path target = output.toAbsolutePath();
        if (!target.getFileName().toString().matches(".*\\.(tar\\.gz|tgz)")) {
            throw UserError.usage("--output %s: a bundle is a .tar.gz", output);
        }
        Path work = workFolder(target, output);
        try {
            Path root = Files.createDirectory(work.resolve("firn"));
            say.accept("linking a Java runtime");
            link(root.resolve("runtime"));
            say.accept("copying libraries");
            copyClassPath(Files.createDirectory(root.resolve("lib")), contents);
            copyLauncher(root.resolve("firn"));
            say.accept("packing");
            Path archive = work.resolve("bundle.tar.gz");
            pack(work, archive);
            Files.move(archive, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            return new Made(output.toString(), Files.size(target), contents);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            delete(work);
        }
    }

    /** Beside the target, so that the finished archive is renamed and never half there. */
    private static Path workFolder(Path target, Path output) {
        try {
            return Files.createTempDirectory(target.getParent(), ".bundle");
        } catch (IOException e) {
            throw UserError.other("cannot write beside %s: %s", output, e.getMessage()).causedBy(e);
        }
    }

    private static void link(Path runtime) throws IOException {
        ToolProvider jlink = ToolProvider.findFirst("jlink").orElseThrow(() -> UserError.other(
                "this Java (%s) has no jlink: run firn bundle by a JDK", System.getProperty("java.home")));
        StringWriter said = new StringWriter();
        PrintWriter out = new PrintWriter(said);
        // Packed as a whole, what is not compressed by itself becomes smaller.
        int status = jlink.run(out, out, "--add-modules", String.join(",", MODULES), "--strip-debug", "--no-header-files",
                "--no-man-pages", "--compress", "zip-0", "--output", runtime.toString());
        out.flush();
        if (status != 0) {
            throw UserError.other("jlink makes no Java runtime: %s", said.toString().strip());
        }
        strip(runtime.resolve("lib/server/libjvm.so"));
    }

    /** Leaves out symbols that only debuggers read, where binutils are installed; else the archive is 1.5 MB larger. */
    private static void strip(Path library) throws IOException {
        if (Stream.of(System.getenv().getOrDefault("PATH", "").split(File.pathSeparator))
                .anyMatch(folder -> Files.isExecutable(Path.of(folder, "strip")))) {
            run("strip", "--strip-unneeded", library.toString());
        }
    }

    private static void copyClassPath(Path lib, Contents contents) throws IOException {
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
            Path from = Path.of(entry);
            String name = from.getFileName().toString();
            if (Files.isDirectory(from)) {
                packFolder(from, lib.resolve("classes-" + name + ".jar"));
            } else if (Files.isRegularFile(from) && contents.takes(name)) {
                copyJar(from, lib.resolve(name), contents);
            }
        }
    }

    private static void copyJar(Path from, Path to, Contents contents) throws IOException {
        String name = from.getFileName().toString();
        try (JarFile jar = new JarFile(from.toFile()); JarOutputStream out = new JarOutputStream(Files.newOutputStream(to))) {
            out.setLevel(Deflater.BEST_COMPRESSION);
            for (JarEntry e : (Iterable<JarEntry>) jar.stream()::iterator) {
                if (!e.isDirectory() && contents.takes(name, e.getName())) {
                    JarEntry copy = new JarEntry(e.getName());
                    // By time and size JavaCPP knows what it has unpacked into a cache that other copies of Firn share.
                    copy.setTime(e.getTime());
                    if (!e.getName().contains(".so")) {
                        // Classes become smaller where all are packed together; libraries are large even so.
                        copy.setMethod(ZipEntry.STORED);
                        copy.setSize(e.getSize());
                        copy.setCrc(e.getCrc());
                    }
                    try (InputStream in = jar.getInputStream(e)) {
                        add(out, copy, in);
                    }
                }
            }
        }
    }

    /** Of classes that are in no jar yet. */
    private static void packFolder(Path folder, Path to) throws IOException {
        try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(to)); Stream<Path> files = Files.walk(folder)) {
            for (Path p : files.filter(Files::isRegularFile).sorted().toList()) {
                try (InputStream in = Files.newInputStream(p)) {
                    add(out, new JarEntry(folder.relativize(p).toString()), in);
                }
            }
        }
    }

    private static void add(JarOutputStream out, JarEntry entry, InputStream in) throws IOException {
        out.putNextEntry(entry);
        in.transferTo(out);
        out.closeEntry();
    }

    private static void copyLauncher(Path to) throws IOException {
        try (InputStream in = Bundle.class.getResourceAsStream(LAUNCHER); OutputStream out = Files.newOutputStream(to)) {
            in.transferTo(out);
        }
        Files.setPosixFilePermissions(to, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private static void pack(Path work, Path archive) throws IOException {
        run("tar", "--owner=0", "--group=0", "--use-compress-program", "gzip -9", "-cf", archive.toString(), "-C",
                work.toString(), "firn");
    }

    /** Runs another program to its end. */
    private static void run(String... command) throws IOException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).redirectInput(new File("/dev/null")).start();
        try {
            String said = new String(process.getInputStream().readAllBytes()).strip();
            if (process.waitFor() != 0) {
                throw UserError.other("%s failed: %s", String.join(" ", command), said);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw UserError.other("interrupted while %s runs", command[0]);
        } finally {
            process.destroyForcibly();
        }
    }

    private static void delete(Path work) {
        try (Stream<Path> files = Files.walk(work)) {
            for (Path p : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(p);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
