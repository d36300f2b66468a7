package io.firn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.data.Tars;
import io.firn.graph.State;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.train.TinyData;
import io.firn.weights.Initializer;
import io.firn.weights.Safetensors;
import io.firn.weights.Tensor;
import io.firn.weights.Weights;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.SequencedMap;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every command and every Java example of README and {@code docs} runs, block by block, each block in a folder of its own
 * (those of a tutorial in one) with small stand-ins for what it names: photos, weights, runs. So that this takes minutes and not days, what runs is
 * shortened, by {@link #shortened}:
 *
 * <ul>
 * <li>{@code fashion-mnist} is a set of 400 tiny pictures;
 * <li>{@code train}, {@code finetune}, {@code advise}: 2 steps, kernels by estimate, 64 pixels unless a size is given;
 *     a search for a rate takes 4 images a step, a confirmation 2 seconds, a cache of images 1 GB;
 * <li>{@code bench}: 2 steps, or 0.2 s a stage of input; {@code selftest}: one small net;
 * <li>{@code study} and {@code submit} only say what they would do ({@code --dry-run}); plans for GPUs ask for no engines.
 * </ul>
 *
 * What needs a GPU, Slurm, root, the network or another program is listed with the reason ({@link #reasonNotToRun});
 * {@link DocsTest} parses those commands too.
 */
@Tag("slow")
@Timeout(value = 20, unit = TimeUnit.MINUTES)
class DocsCommandsTest {
    private static final int SIDE = 80;
    private static final int TINY_SIDE = 28;
    /** Pages whose blocks go on with what those before made. */
    private static final Set<String> TUTORIALS = Set.of("docs/first-training.md");
    private static final List<String> CLASSES = List.of("cat", "dog", "owl");
    private static final List<String> JAVA = List.of(ProcessHandle.current().info().command().orElseThrow(),
            "--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED", "-XX:+UseSerialGC",
            "-XX:+UseCompactObjectHeaders", "-Xms64m", "-Xmn12m",
            "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0", "-cp", System.getProperty("java.class.path"));
    private static final Map<String, String> OTHERS = Map.of("sudo", "installs packages as root",
            "mvn", "builds Firn and runs its tests, of which this is one", "pip", "fetches packages from the network",
            "export", "prepares the commands that follow", "srun", "needs Slurm", "torchrun", "needs PyTorch",
            "python", "needs PyTorch", "ssh", "needs another machine", "tensorboard", "needs TensorBoard");

    @TempDir
    static Path shared;
    private static Path template;

    @BeforeAll
    static void standIns() throws IOException, InterruptedException {
        template = Files.createDirectories(shared.resolve("template"));
        Path program = Files.writeString(template.resolve("firn"), "#!/bin/sh\nexport OMP_WAIT_POLICY=passive "
                + "MALLOC_ARENA_MAX=2\nexec '" + String.join("' '", JAVA)
                + "' io.firn.cli.Main \"$@\"\n");
        Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwxr-xr-x"));
        TinyData.idx(template.resolve("tiny"), 400, 40, 4, TINY_SIDE);
        for (int i = 0; i < 300; i++) {
            photo(template.resolve("photos/%s/%03d.jpg".formatted(CLASSES.get(i % 3), i)), i, SIDE);
            if (i < 12) {
                photo(template.resolve("more/%s/%03d.jpg".formatted(CLASSES.get(i % 3), i)), 1000 + i, SIDE);
            }
        }
        photo(template.resolve("shoe.png"), 7, TINY_SIDE);
        shard(template.resolve("shard.tar"));
        shard(template.resolve("shard-000.tar"));
        Files.createDirectories(template.resolve("scratch"));
        for (String model : List.of("resnet50", "efficientnet_b0")) {
            weights(template.resolve(model + ".pth"), model);
        }
        run(template, "./firn train --data photos --val more --model resnet18 --resolution 64 --batch 8 --max-steps 2 "
                + "--deterministic --output runs/first && for r in second a b c; do cp -r runs/first runs/$r; done");
    }

    /** A picture whose colour tells its class. */
    private static void photo(Path file, int number, int side) throws IOException {
        Random random = new Random(number);
        BufferedImage image = new BufferedImage(side, side, BufferedImage.TYPE_INT_RGB);
        for (int i = 0; i < side * side; i++) {
            image.setRGB(i % side, i / side, 200 << 8 * (number % 3) | random.nextInt(1 << 24) & 0x3F3F3F);
        }
        Files.createDirectories(file.getParent());
        ImageIO.write(image, file.toString().endsWith(".png") ? "png" : "jpg", file.toFile());
    }

    private static void shard(Path file) throws IOException {
        SequencedMap<String, byte[]> members = new LinkedHashMap<>();
        for (int i = 0; i < 6; i++) {
            members.put("%06d.jpg".formatted(i), Files.readAllBytes(template.resolve("more/%s/%03d.jpg".formatted(
                    CLASSES.get(i % 3), i))));
            members.put("%06d.cls".formatted(i), CLASSES.get(i % 3).getBytes());
        }
        Tars.write(file, members);
    }

    /** Random weights, in a file as others write them: it does not say what it holds, and its name does not matter. */
    private static void weights(Path file, String model) {
        Model m = Models.build(model, ModelOptions.defaults());
        var data = Initializer.initialize(m.graph(), 0, m.initialization()::sampler);
        SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
        for (State state : m.graph().states()) {
            tensors.put(state.name(), new Tensor(state.value().shape(), () -> data.get(state.name())));
        }
        Safetensors.write(file, new Weights(tensors, Map.of()));
    }

    private static void run(Path folder, String command) throws IOException, InterruptedException {
        Path log = folder.resolve("log.txt");
        ProcessBuilder builder = new ProcessBuilder("bash", "-c", command).directory(folder.toFile())
                .redirectErrorStream(true).redirectOutput(log.toFile());
        int code = builder.start().waitFor();
        assertThat(code).as(command + "\n" + Files.readString(log)).isZero();
    }

    /** A folder with the stand-ins: links, since what is there is replaced and never written over. */
    private static Path scratch(String block) throws IOException, InterruptedException {
        String page = block.substring(0, block.indexOf(':'));
        Path folder = shared.resolve((TUTORIALS.contains(page) ? page : block).replaceAll("\\W", "_"));
        if (!Files.exists(folder)) {
            run(shared, "cp -al " + template + " " + folder);
            if (TUTORIALS.contains(page)) {
                run(folder, "mv runs/second . && rm -r runs/* && mv second runs");
            }
        }
        return folder;
    }

    private static Optional<String> reasonNotToRun(String command) {
        String first = command.replaceFirst("^(\\w+=\\S+ )+", "").split(" ")[0];
        if (OTHERS.containsKey(first)) {
            return Optional.of(OTHERS.get(first));
        }
        return command.matches(".*--(device cuda|export-target).*") ? Optional.of("needs a GPU")
                : command.contains("data fetch") ? Optional.of("fetches from the network")
                : command.matches(".*(submit --(status|cancel) |study .* --slurm ).*") ? Optional.of("needs Slurm")
                : command.contains("./firn bundle") ? Optional.of("packs what Maven packaged: BundleTest runs it")
                : Optional.empty();
    }

    private static String shortened(String command) {
        String c = command.replace("fashion-mnist", "tiny").replace("/scratch", "scratch");
        List<String> words = DocsPages.firnWords(c);
        String more = switch (words.isEmpty() ? "" : words.getFirst()) {
            case "train", "finetune", "advise" -> " --max-steps 2 --deterministic" + (c.matches(
                    ".* (tiny|--resolution|--progressive|--resume|--config)( .*)?") ? "" : " --resolution 64")
                    + (c.contains("--find-lr") ? " --batch 4" : "") + (c.contains(" advise ") ? " --no-timing" : "");
            case "bench" -> c.contains("--input") ? " --seconds 0.2" : " --steps 2 --warmup 1 --deterministic";
            case "selftest" -> c.contains("--resume") ? "" : " --models resnet20";
            case "study" -> c.contains("--dry-run") || c.contains("--fit") ? "" : " --dry-run";
            case "plan" -> c.contains("--target") && !c.contains("--engines") ? " --engines assume" : "";
            default -> "";
        };
        return c.replaceFirst("--budget \\d+", "--budget 2").replaceFirst(" --max-steps \\d+", "")
                .replaceFirst("--image-cache \\d+GB", "--image-cache 1GB")
                .replaceFirst("\\./firn submit (--dry-run )?", "./firn submit --dry-run --firn ./firn ")
                .replaceFirst("( [|>].*)?$", Matcher.quoteReplacement(more) + "$1");
    }

    static Stream<DocsPages.Block> shell() {
        return ofPage("sh");
    }

    @ParameterizedTest(allowZeroInvocations = true)
    @MethodSource("shell")
    void commandsRun(DocsPages.Block block) throws IOException, InterruptedException {
        Path folder = scratch(block.page());
        for (String command : block.commands()) {
            Optional<String> reason = reasonNotToRun(command);
            if (reason.isPresent()) {
                System.out.println("not run (%s): %s".formatted(reason.get(), command));
            } else {
                run(folder, shortened(command));
            }
        }
    }

    static Stream<DocsPages.Block> java() {
        return ofPage("java").filter(b -> !b.text().startsWith("import "));
    }

    /** {@code -Dfirn.page=docs/weights.md} runs what one page says. */
    private static Stream<DocsPages.Block> ofPage(String language) {
        return DocsPages.blocks(language).stream().filter(b -> b.page().startsWith(System.getProperty("firn.page", "")));
    }

    /** The page on Java begins with the imports of all examples. */
    @ParameterizedTest(allowZeroInvocations = true)
    @MethodSource("java")
    void javaRuns(DocsPages.Block block) throws IOException, InterruptedException {
        Path folder = scratch(block.page());
        String imports = DocsPages.blocks("java").stream().map(DocsPages.Block::text).filter(t -> t.startsWith("import "))
                .findFirst().orElseThrow();
        String body = block.text().replace("fashion-mnist", "tiny").replaceAll("\"epochs\", \\d+", "\"max-steps\", 2");
        Files.writeString(folder.resolve("Example.java"), imports + "\npublic class Example {\n"
                + "    public static void main(String[] args) throws Exception {\n" + body + "\n    }\n}\n");
        // The runs that an example makes are not there yet.
        run(folder, "rm -r runs/first; cp -r runs/a runs/photos; '" + String.join("' '", JAVA) + "' Example.java");
    }
}
