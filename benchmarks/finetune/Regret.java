import com.fasterxml.jackson.databind.ObjectMapper;
import io.firn.Firn;
import io.firn.finetune.Advice;
import io.firn.finetune.FineTuning;
import io.firn.train.Config;
import io.firn.train.Devices;
import io.firn.train.Classifier;
import io.firn.train.TrainRequest;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.Random;
import java.util.zip.GZIPInputStream;

/**
 * How good the choice of {@code firn advise} is: a small net learns half of Fashion-MNIST's classes, is fine-tuned on other
 * data in every way, and what was advised is held against what was best. Writes a line of JSON for each cell to
 * {@code cells.jsonl}, and goes on with what is there; no run of it is recorded yet.
 *
 * <pre>java --add-modules=jdk.incubator.vector --enable-native-access=ALL-UNNAMED -cp 'target/firn/*' \
 *     benchmarks/finetune/Regret.java --fashion FOLDER --digits digits.csv.gz --output FOLDER</pre>
 */
public final class Regret {
    private static final int SIDE = 28;
    private static final int TEST_PER_CLASS = 150;

    /** Pictures of 28x28 with labels from 0 on. */
    private record Pictures(List<byte[]> pixels, List<Integer> labels) {
        Pictures() {
            this(new ArrayList<>(), new ArrayList<>());
        }

        void add(byte[] p, int label) {
            pixels.add(p);
            labels.add(label);
        }

        /** Those of some classes, numbered anew. */
        Pictures classes(int... wanted) {
            Pictures some = new Pictures();
            for (int i = 0; i < labels.size(); i++) {
                for (int k = 0; k < wanted.length; k++) {
                    if (labels.get(i) == wanted[k]) {
                        some.add(pixels.get(i), k);
                    }
                }
            }
            return some;
        }

        /** From {@code from} to {@code to} of each class, in an order drawn by the seed. */
        Pictures perClass(int from, int to, long seed) {
            List<Integer> order = new ArrayList<>();
            for (int i = 0; i < labels.size(); i++) {
                order.add(i);
            }
            Collections.shuffle(order, new Random(seed));
            Pictures some = new Pictures();
            Map<Integer, Integer> seen = new HashMap<>();
            for (int i : order) {
                int n = seen.merge(labels.get(i), 1, Integer::sum) - 1;
                if (n >= from && n < to) {
                    some.add(pixels.get(i), labels.get(i));
                }
            }
            return some;
        }

        int smallestClass() {
            Map<Integer, Integer> counts = new HashMap<>();
            labels.forEach(l -> counts.merge(l, 1, Integer::sum));
            return Collections.min(counts.values());
        }

        /** White on black becomes black on white. */
        Pictures inverted() {
            Pictures other = new Pictures();
            for (int i = 0; i < labels.size(); i++) {
                byte[] p = pixels.get(i).clone();
                for (int j = 0; j < p.length; j++) {
                    p[j] = (byte) (255 - (p[j] & 255));
                }
                other.add(p, labels.get(i));
            }
            return other;
        }

        Path write(Path folder) throws IOException {
            Files.createDirectories(folder);
            ByteBuffer images = ByteBuffer.allocate(16 + pixels.size() * SIDE * SIDE).putInt(0x803).putInt(pixels.size())
                    .putInt(SIDE).putInt(SIDE);
            pixels.forEach(images::put);
            ByteBuffer names = ByteBuffer.allocate(8 + labels.size()).putInt(0x801).putInt(labels.size());
            labels.forEach(l -> names.put(l.byteValue()));
            Files.write(folder.resolve("train-images-idx3-ubyte"), images.array());
            Files.write(folder.resolve("train-labels-idx1-ubyte"), names.array());
            return folder;
        }
    }

    private static Pictures fashion(Path folder, String part) throws IOException {
        ByteBuffer images = unzipped(folder.resolve(part + "-images-idx3-ubyte.gz")).position(16);
        ByteBuffer labels = unzipped(folder.resolve(part + "-labels-idx1-ubyte.gz")).position(8);
        Pictures all = new Pictures();
        while (labels.hasRemaining()) {
            byte[] p = new byte[SIDE * SIDE];
            images.get(p);
            all.add(p, labels.get());
        }
        return all;
    }

    private static ByteBuffer unzipped(Path file) throws IOException {
        var out = new ByteArrayOutputStream();
        try (var in = new GZIPInputStream(Files.newInputStream(file))) {
            in.transferTo(out);
        }
        return ByteBuffer.wrap(out.toByteArray());
    }

    /** The 1,797 digits of 8x8 that come with scikit-learn (UCI, optical recognition of handwritten digits), enlarged to 24 within 28. */
    private static Pictures digits(Path csv) throws IOException {
        Pictures all = new Pictures();
        try (var in = new BufferedReader(new InputStreamReader(new GZIPInputStream(Files.newInputStream(csv))))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                String[] v = line.split(",");
                double[] small = new double[64];
                for (int i = 0; i < 64; i++) {
                    small[i] = Double.parseDouble(v[i]) * 255 / 16;
                }
                byte[] p = new byte[SIDE * SIDE];
                for (int y = 0; y < 24; y++) {
                    for (int x = 0; x < 24; x++) {
                        p[(y + 2) * SIDE + x + 2] = (byte) Math.round(between(small, (y + 0.5) / 3 - 0.5, (x + 0.5) / 3 - 0.5));
                    }
                }
                all.add(p, (int) Double.parseDouble(v[64]));
            }
        }
        return all;
    }

    private static double between(double[] small, double y, double x) {
        int y0 = Math.clamp((int) Math.floor(y), 0, 6);
        int x0 = Math.clamp((int) Math.floor(x), 0, 6);
        double fy = Math.clamp(y - y0, 0, 1);
        double fx = Math.clamp(x - x0, 0, 1);
        return (1 - fy) * ((1 - fx) * small[y0 * 8 + x0] + fx * small[y0 * 8 + x0 + 1])
                + fy * ((1 - fx) * small[y0 * 8 + 8 + x0] + fx * small[y0 * 8 + 9 + x0]);
    }

    public static void main(String[] args) throws IOException {
        Map<String, String> o = new HashMap<>(Map.of("seeds", "3", "steps", "100", "model", "resnet20", "depth", "0.34",
                "pretrain", "600", "sizes", "8,48,300", "threads", "1"));
        for (int i = 0; i + 1 < args.length; i += 2) {
            o.put(args[i].substring(2), args[i + 1]);
        }
        Path output = Path.of(o.get("output"));
        Files.createDirectories(output);
        Pictures train = fashion(Path.of(o.get("fashion")), "train");
        Pictures test = fashion(Path.of(o.get("fashion")), "t10k");
        Map<String, Pictures[]> tasks = new LinkedHashMap<>();
        tasks.put("other clothes", new Pictures[] {train.classes(5, 6, 7, 8, 9), test.classes(5, 6, 7, 8, 9)});
        Pictures kept = train.classes(0, 1, 2, 3, 4).perClass(3000, 6000, 0);
        tasks.put("same clothes", new Pictures[] {kept, test.classes(0, 1, 2, 3, 4)});
        tasks.put("same clothes, inverted", new Pictures[] {kept.inverted(), test.classes(0, 1, 2, 3, 4).inverted()});
        Pictures digits = digits(Path.of(o.get("digits")));
        tasks.put("digits", new Pictures[] {digits.perClass(60, 100_000, 0), digits.perClass(0, 60, 0)});
        Map<String, Object> net = new HashMap<>(Map.of("model", o.get("model"), "depth", Double.valueOf(o.get("depth")),
                "batch", 32, "threads", Integer.valueOf(o.get("threads"))));
        Path first = output.resolve("first");
        if (!Files.exists(first.resolve("weights.safetensors"))) {
            Map<String, Object> options = new HashMap<>(net);
            options.put("data", train.classes(0, 1, 2, 3, 4).perClass(0, 3000, 0).write(output.resolve("data-first")).toString());
            options.put("max-steps", Long.valueOf(o.get("pretrain")));
            System.err.println("pre-trained: " + Firn.train(options, first));
        }
        Path lines = output.resolve("cells.jsonl");
        for (var task : tasks.entrySet()) {
            Pictures held = task.getValue()[1].perClass(0, TEST_PER_CLASS, 0);
            Path testFolder = held.write(output.resolve("test-" + task.getKey().replaceAll("\\W+", "-")));
            for (String size : o.get("sizes").split(",")) {
                int n = Math.min(Integer.parseInt(size), task.getValue()[0].smallestClass());
                for (int seed = 0; seed < Integer.parseInt(o.get("seeds")); seed++) {
                    cell(task.getKey(), task.getValue()[0].perClass(0, n, 1 + seed), n, seed, testFolder, first, net, o, output,
                            lines);
                }
            }
        }
    }

    private static void cell(String task, Pictures pictures, int n, int seed, Path test, Path first, Map<String, Object> net,
                             Map<String, String> o, Path output, Path lines) throws IOException {
        String key = "\"task\":\"%s\",\"images_per_class\":%d,\"seed\":%d".formatted(task, n, seed);
        if (Files.exists(lines) && Files.readString(lines).contains(key)) {
            return;
        }
        Map<String, Object> options = new HashMap<>(net);
        options.put("data", pictures.write(output.resolve("data")).toString());
        options.put("init", first.toString());
        options.put("seed", seed);
        Advice a = Firn.advise(Config.of(options), Devices::local, OptionalDouble.empty(),
                false, _ -> { });
        Map<String, String> arms = new LinkedHashMap<>();
        a.arms().forEach(arm -> arms.put(arm.name(), arm.freeze()));
        StringBuilder line = new StringBuilder("{" + key);
        line.append(",\"quadrant\":\"%s\",\"advised\":\"%s\"".formatted(a.quadrant(), a.freeze()));
        line.append(",\"taps\":").append(json(a.similarity())).append(",\"curve\":").append(json(a.curve()));
        line.append(",\"arms\":{");
        String comma = "";
        for (var arm : arms.entrySet()) {
            Map<String, Object> training = new HashMap<>(options);
            training.put("freeze", arm.getValue());
            training.put("max-steps", Long.valueOf(o.get("steps")));
            Path run = output.resolve("run");
            delete(run);
            if (arm.getKey().equals("from scratch")) {
                training.remove("init");
                Firn.train(training, run);
            } else {
                Firn.finetune(TrainRequest.of(training, run),
                        new FineTuning.Options(OptionalDouble.empty(), null, FineTuning.Head.PROBE));
            }
            try (Classifier net1 = Firn.load(run)) {
                line.append("%s\"%s\":{\"freeze\":\"%s\",\"top1\":%.4f}".formatted(comma, arm.getKey(), arm.getValue(),
                        net1.evaluate(test.toString()).top1()));
            }
            comma = ",";
        }
        line.append("}}\n");
        Files.writeString(lines, line, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        System.err.print(line.length() > 300 ? line.substring(0, 150) + " … " + line.substring(line.indexOf("\"arms\"")) : line);
    }

    private static String json(Object value) throws IOException {
        return new ObjectMapper().writeValueAsString(value);
    }

    private static void delete(Path folder) throws IOException {
        if (Files.exists(folder)) {
            try (var files = Files.walk(folder)) {
                for (Path p : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(p);
                }
            }
        }
    }
}
