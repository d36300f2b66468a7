package io.firn.cli;

import io.firn.data.Tars;
import io.firn.train.TinyData;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SequencedMap;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;
import javax.imageio.ImageIO;

/**
 * Damages every kind of file that Firn reads, one at a time, and runs the command that reads it: it must end soon, with a
 * documented exit code and, where that is not 0, one clear line. Prints a line for each kind; its {@code main} is run in a
 * process with little memory.
 */
final class FuzzRun {
    private static final int SECONDS = 60;
    /** Sound, bad data, bad options. Out of memory (4) would mean that a header was believed. */
    private static final Set<Integer> EXPECTED = Set.of(0, 2, 3);
    /** Options may ask for too much, or for a rate that diverges. */
    private static final Set<Integer> OF_OPTIONS = Set.of(0, 2, 3, 4, 5);

    private final Path folder;
    private final Map<String, Case> cases = new LinkedHashMap<>();
    private final ExecutorService runner = Executors.newSingleThreadExecutor(Thread.ofPlatform().daemon().factory());

    /**
     * A file to damage.
     *
     * @param command that reads it
     * @param whole   it and what else the command may change, as it should be
     */
    private record Case(Path file, Object[] command, Map<Path, byte[]> whole) {
    }

    private FuzzRun(Path folder) throws Exception {
        this.folder = folder;
        images();
        lists();
        weights();
        runs();
    }

    /** Arguments: a folder to work in, copies, seed. */
    public static void main(String[] args) throws Exception {
        run(Path.of(args[0]), Integer.parseInt(args[1]), Long.parseLong(args[2]));
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("VmHWM")) {
                System.out.println(line);
            }
        }
    }

    /** Reads that many damaged copies, of all kinds in turn, and returns how many were refused. */
    static int run(Path folder, int copies, long seed) throws Exception {
        FuzzRun run = new FuzzRun(folder);
        List<String> kinds = List.copyOf(run.cases.keySet());
        Map<String, Integer> refused = new LinkedHashMap<>();
        for (int i = 0; i < copies; i++) {
            String kind = kinds.get(i % kinds.size());
            refused.merge(kind, run.read(kind, seed + i) == 0 ? 0 : 1, Integer::sum);
        }
        run.runner.shutdown();
        System.out.println(copies + " damaged files; refused: " + refused);
        return refused.values().stream().mapToInt(Integer::intValue).sum();
    }

    private int read(String kind, long seed) throws Exception {
        Case c = cases.get(kind);
        byte[] whole = c.whole.get(c.file);
        byte[] damaged = Damaged.of(whole, new Random(seed));
        Files.write(c.file, damaged);
        String what = "%s, seed %d (%d bytes of %d)".formatted(kind, seed, damaged.length, whole.length);
        Set<Integer> expected = kind.contains("config") ? OF_OPTIONS : EXPECTED;
        try {
            CommandLineRun r = runner.submit(() -> CommandLineRun.here(c.command)).get(SECONDS, TimeUnit.SECONDS);
            List<String> said = r.err().lines().filter(l -> l.startsWith("firn: ")).toList();
            if (!expected.contains(r.code()) || r.code() != 0 && said.size() != 1 || r.err().contains("internal error")
                    || r.err().contains("\tat ")) {
                throw new AssertionError("%s: exit code %d: %s".formatted(what, r.code(), r.err()));
            }
            if (r.code() != 0 && said.getFirst().length() > 900) {
                throw new AssertionError("%s: a line of %d characters: %s".formatted(what, said.getFirst().length(), said));
            }
            return r.code();
        } catch (TimeoutException e) {
            throw new AssertionError(what + ": no end after " + SECONDS + " s", e);
        } finally {
            for (Map.Entry<Path, byte[]> file : c.whole.entrySet()) {
                Files.write(file.getKey(), file.getValue());
            }
        }
    }

    private void add(String kind, Path file, Object... command) throws IOException {
        cases.put(kind, new Case(file, command, Map.of(file, Files.readAllBytes(file))));
    }

    private static BufferedImage picture(int seed) {
        Random random = new Random(seed);
        var image = new BufferedImage(40, 30, BufferedImage.TYPE_INT_RGB);
        for (int p = 0; p < 1200; p++) {
            image.setRGB(p % 40, p / 40, random.nextInt() & 0x7F7F7F | seed << 7);
        }
        return image;
    }

    private void images() throws IOException {
        for (String format : List.of("jpg", "png", "bmp")) {
            Path set = folder.resolve("set-" + format);
            for (int i = 0; i < 4; i++) {
                Path file = set.resolve("class" + i % 2).resolve(i + "." + format);
                Files.createDirectories(file.getParent());
                ImageIO.write(picture(i), format, file.toFile());
            }
            add(format, set.resolve("class0/0." + format), "data", "verify", set);
        }
        Path idx = TinyData.idx(folder.resolve("idx"), 20, 8, 4);
        add("idx", idx.resolve("train-images-idx3-ubyte"), "data", "inspect", idx);
    }

    private void lists() throws IOException {
        SequencedMap<String, byte[]> members = new LinkedHashMap<>();
        StringBuilder list = new StringBuilder("path,label\n");
        for (int i = 0; i < 4; i++) {
            Path file = folder.resolve("set-jpg/class" + i % 2).resolve(i + ".jpg");
            members.put("a/%d.jpg".formatted(i), Files.readAllBytes(file));
            members.put("a/%d.cls".formatted(i), String.valueOf(i % 2).getBytes());
            list.append(folder.relativize(file)).append(",class").append(i % 2).append('\n');
        }
        add("tar", Tars.write(folder.resolve("all.tar"), members), "data", "inspect", folder.resolve("all.tar"));
        add("csv", Files.writeString(folder.resolve("list.csv"), list), "data", "inspect", folder.resolve("list.csv"));
    }

    private Path train(String name, Object... more) {
        Path run = folder.resolve(name);
        List<Object> args = new ArrayList<>(List.of("train", "--data", folder.resolve("idx"), "--model", "resnet20", "--depth", 0.3,
                "--batch", 4, "--precision", "fp32", "--output", run, "--deterministic", "--threads", 1));
        args.addAll(List.of(more));
        var trained = CommandLineRun.here(args.toArray());
        if (trained.code() != 0) {
            throw new AssertionError(trained.err());
        }
        return run;
    }

    private void weights() throws IOException {
        Path run = train("weights", "--max-steps", 3);
        Path safetensors = run.resolve("best.safetensors");
        add("safetensors", safetensors, "convert", safetensors, folder.resolve("out.onnx"));
        Path onnx = folder.resolve("net.onnx");
        var converted = CommandLineRun.here("convert", run, onnx);
        if (converted.code() != 0) {
            throw new AssertionError(converted.err());
        }
        add("onnx", onnx, "convert", onnx, folder.resolve("out.safetensors"));
        Path torch = folder.resolve("net.pth");
        try (var in = FuzzRun.class.getResourceAsStream("/io/firn/weights/state.pth")) {
            Files.write(torch, in.readAllBytes());
        }
        add("pth", torch, "convert", torch, folder.resolve("out.safetensors"), "--model", "resnet20");
    }

    /** What a run's folder holds: the checkpoint is read by going on, the rest by the report. */
    private void runs() throws IOException {
        Path run = train("run", "--max-steps", 3);
        add("config", run.resolve("config.toml"), "train", "--config", run.resolve("config.toml"), "--data", folder.resolve("none"),
                "--output", folder.resolve("new"));
        try (Stream<Path> files = Files.list(run)) {
            for (Path file : files.filter(Files::isRegularFile).sorted().toList()) {
                String name = file.getFileName().toString();
                if (name.matches(".*\\.jsonl|plan\\.json|events.*|config\\.toml")) {
                    add("report of " + name.replaceAll("\\d{4,}.*", "…"), file, "report", run, "--output", folder.resolve("report.html"));
                }
            }
        }
        Path going = train("going", "--max-steps", 3);
        Files.delete(going.resolve("weights.safetensors"));
        Map<Path, byte[]> all = new LinkedHashMap<>();
        try (Stream<Path> files = Files.walk(going)) {
            for (Path file : files.filter(Files::isRegularFile).sorted().toList()) {
                all.put(file, Files.readAllBytes(file));
            }
        }
        all.keySet().stream().filter(f -> f.getParent().endsWith("checkpoint")).forEach(file -> cases.put("checkpoint/" + file.getFileName(),
                new Case(file, new Object[] {"train", "--resume", "--output", going, "--threads", 1}, all)));
    }
}
