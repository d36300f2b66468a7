package io.firn.data;

import io.firn.error.UserError;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * Where Fashion-MNIST comes from: Debian's package where there is {@code apt-get} (downloaded and unpacked, not
 * installed, so without root), else or failing that its authors' repository over HTTPS.
 */
final class FashionMnistSource {
    private static final String PACKAGE = "dataset-fashion-mnist";
    private static final URI ORIGIN = URI.create("https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/");
    private static final Duration LIMIT = Duration.ofMinutes(5);

    private FashionMnistSource() {
    }

    /**
     * Fetches into a temporary folder; returns the folder in which the files then are.
     *
     * @throws UserError with what each source answered, where none has it
     */
    static Path fetch(Path temporary, Set<String> names, Consumer<String> progress) throws IOException {
        String debian;
        try {
            progress.accept("fetching Fashion-MNIST (31 MB) from Debian's package " + PACKAGE);
            return fromDebian(temporary);
        } catch (IOException e) {
            debian = reason(e);
        }
        try {
            progress.accept("fetching Fashion-MNIST (31 MB) from " + ORIGIN);
            return fromOrigin(temporary, names);
        } catch (IOException e) {
            throw UserError.other("Fashion-MNIST cannot be fetched. Debian's package: %s. %s: %s. Put its four files (train-images-idx3-ubyte.gz, …) into a folder and give that as --data",
                    debian, ORIGIN.getHost(), reason(e)).causedBy(e);
        }
    }

    private static Path fromDebian(Path temporary) throws IOException {
        if (!onPath("apt-get") || !onPath("dpkg-deb")) {
            throw new IOException("no apt-get on this machine");
        }
        try {
            run(temporary, "apt-get", "download", PACKAGE);
        } catch (IOException e) {
            if (!"root".equals(System.getProperty("user.name"))) {
                throw e;
            }
            // A fresh system has no package lists yet, and only root may fetch them.
            run(temporary, "apt-get", "update");
            run(temporary, "apt-get", "download", PACKAGE);
        }
        Path unpacked = Files.createDirectory(temporary.resolve("unpacked"));
        try (Stream<Path> files = Files.list(temporary)) {
            Path archive = files.filter(file -> file.toString().endsWith(".deb")).findFirst()
                    .orElseThrow(() -> new IOException("apt-get download left no file"));
            run(temporary, "dpkg-deb", "-x", archive.toString(), unpacked.toString());
        }
        return unpacked.resolve("usr/share/datasets/fashion-mnist");
    }

    private static Path fromOrigin(Path temporary, Set<String> names) throws IOException {
        try (HttpClient client = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(20)).followRedirects(HttpClient.Redirect.NORMAL).build()) {
            for (String name : names) {
                HttpRequest request = HttpRequest.newBuilder(ORIGIN.resolve(name + ".gz")).timeout(LIMIT).build();
                HttpResponse<Path> response = client.send(request, HttpResponse.BodyHandlers.ofFile(temporary.resolve(name + ".gz")));
                if (response.statusCode() != 200) {
                    throw new IOException("status %d for %s".formatted(response.statusCode(), request.uri()));
                }
            }
            return temporary;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    private static void run(Path folder, String... command) throws IOException {
        Path log = folder.resolve("log");
        ProcessBuilder builder = new ProcessBuilder(command).directory(folder.toFile()).redirectErrorStream(true).redirectOutput(log.toFile());
        builder.environment().put("LC_ALL", "C");
        Process process = builder.start();
        try {
            if (!process.waitFor(LIMIT.toSeconds(), TimeUnit.SECONDS)) {
                throw new IOException("'%s' took longer than %d minutes".formatted(String.join(" ", command), LIMIT.toMinutes()));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        } finally {
            process.destroyForcibly();
        }
        if (process.exitValue() != 0) {
            List<String> lines = Files.readAllLines(log);
            String error = lines.stream().filter(line -> line.startsWith("E:")).findFirst().orElse(lines.isEmpty() ? "" : lines.getLast());
            throw new IOException("'%s' failed: %s".formatted(String.join(" ", command), error));
        }
    }

    private static boolean onPath(String program) {
        return Arrays.stream(System.getenv().getOrDefault("PATH", "").split(":")).anyMatch(folder -> Files.isExecutable(Path.of(folder, program)));
    }

    private static String reason(IOException e) {
        return e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
    }

    /** Removes a folder and all in it. */
    static void delete(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }
}
