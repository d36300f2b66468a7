package io.firn.bundle;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.error.UserError;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.jar.JarFile;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A bundle unpacks, and runs without Java, without a network and without any variable of the environment. */
class BundleTest {
    @TempDir
    Path folder;

    private String run(Path in, int expected, String... command) throws IOException, InterruptedException {
        Path said = folder.resolve("said");
        ProcessBuilder b = new ProcessBuilder(command).directory(in.toFile()).redirectErrorStream(true)
                .redirectOutput(said.toFile());
        b.environment().clear();
        b.environment().put("PATH", "/usr/bin:/bin");
        Process p = b.start();
        assertThat(p.waitFor(5, TimeUnit.MINUTES)).isTrue();
        String text = Files.readString(said);
        assertThat(p.exitValue()).as(text).isEqualTo(expected);
        return text;
    }

    @Test
    @Tag("slow")
    void theWholeTrainsOnTheCpu() throws IOException, InterruptedException {
        Path archive = folder.resolve("firn.tar.gz");
        Bundle.Made made = Bundle.create(archive, Contents.ALL, _ -> { });
        assertThat(made.bytes()).isEqualTo(Files.size(archive));
        run(folder, 0, "tar", "-xzf", archive.toString());
        String home = "HOME=" + folder;
        librariesHaveTheTimesOfTheirOriginals("dnnl-3.11-1.5.13-linux-x86_64.jar");
        assertThat(run(folder, 0, "env", home, "firn/firn", "models", "resnet20")).contains("resnet20");
        // Loads oneDNN and OpenCV, and says where they are not to be loaded.
        assertThat(run(folder, 0, "env", home, "firn/firn", "info")).contains("oneDNN").contains("OpenCV")
                .doesNotContain("does not load");
        assertThat(run(folder, 0, "env", home, "unshare", "-rn", "firn/firn", "bench", "--model", "resnet20", "--batch", "2",
                "--steps", "1", "--warmup", "1", "--device", "cpu")).contains("images/s");
        try (var left = Files.list(folder)) {
            assertThat(left.map(p -> p.getFileName().toString())).noneMatch(n -> n.startsWith(".bundle"));
        }
    }

    @Test
    @Tag("slow")
    void theGpuPartIsSmallAndSaysWhatItLacks() throws IOException, InterruptedException {
        Path archive = folder.resolve("firn.tgz");
        Bundle.create(archive, Contents.CUDA, _ -> { });
        // The tests' own class path has more than the program's, so that sizes say nothing here.
        run(folder, 0, "tar", "-xzf", archive.toString());
        assertThat(run(folder, 0, "env", "HOME=" + folder, "firn/firn", "plan", "resnet50", "--target", "h100"))
                .contains("resnet50");
        assertThat(run(folder, 1, "env", "HOME=" + folder, "firn/firn", "bench", "--model", "resnet20", "--device", "cpu"))
                .contains("oneDNN, which computes on CPUs, cannot be loaded");
    }

    /** Else a bundle and a build that share a cache of libraries would replace each other's while these are in use. */
    private void librariesHaveTheTimesOfTheirOriginals(String name) throws IOException {
        String original = Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                .filter(p -> p.endsWith(name)).findFirst().orElseThrow();
        try (var from = new JarFile(original); var to = new JarFile(folder.resolve("firn/lib").resolve(name).toFile())) {
            assertThat(to.stream().filter(e -> e.getName().contains(".so"))).isNotEmpty()
                    .allMatch(e -> e.getTime() == from.getEntry(e.getName()).getTime());
        }
    }

    @ParameterizedTest
    @CsvSource({"opencv-4.13.0-1.5.13-linux-x86_64.jar, org/bytedeco/opencv/linux-x86_64/libopencv_core.so.413, true",
        "opencv-4.13.0-1.5.13-linux-x86_64.jar, org/bytedeco/opencv/linux-x86_64/libopencv_dnn.so.413, false",
        "opencv-4.13.0-1.5.13-linux-x86_64.jar, org/bytedeco/opencv/linux-x86_64/python/cv2.so, false",
        "dnnl-3.11-1.5.13-linux-x86_64.jar, org/bytedeco/dnnl/linux-x86_64/libdnnl.so.3, true",
        "dnnl-3.11-1.5.13-linux-x86_64.jar, org/bytedeco/dnnl/linux-x86_64/include/oneapi/dnnl/dnnl.h, false",
        "picocli-4.7.7.jar, picocli/CommandLine.class, true"})
    void onlyWhatIsLoadedIsTaken(String jar, String entry, boolean taken) {
        assertThat(Contents.ALL.takes(jar, entry)).isEqualTo(taken);
        assertThat(Contents.CUDA.takes(jar)).isEqualTo(!jar.contains("opencv") && !jar.contains("dnnl"));
    }

    @Test
    void whereNothingCanBeWrittenNothingIs() {
        for (Path p : List.of(Path.of("/nowhere/firn.tar.gz"), folder.resolve("firn.zip"))) {
            assertThatThrownBy(() -> Bundle.create(p, Contents.ALL, _ -> { })).isInstanceOf(UserError.class)
                    .hasMessageContaining(p.toString());
        }
        assertThat(folder).isEmptyDirectory();
    }
}
