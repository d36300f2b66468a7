import java.awt.image.DataBufferByte;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.zip.GZIPInputStream;
import javax.imageio.ImageIO;

/**
 * Gray pictures of 28x28 with labels from 0 on, and where they come from: clothes, digits, drawings.
 *
 * @param groups pictures of one group are too much alike to be in two parts; those of the clothes and digits are all alone
 */
record Pictures(List<byte[]> pixels, List<Integer> labels, List<String> groups) {
    static final int SIDE = 28;

    Pictures() {
        this(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
    }

    private void add(byte[] p, int label, String group) {
        pixels.add(p);
        labels.add(label);
        groups.add(group);
    }

    private void add(Pictures from, int index, int label) {
        add(from.pixels.get(index), label, from.groups.get(index));
    }

    /** Those of some classes, numbered anew. */
    Pictures classes(List<Integer> wanted) {
        Pictures some = new Pictures();
        for (int i = 0; i < labels.size(); i++) {
            int label = wanted.indexOf(labels.get(i));
            if (label >= 0) {
                some.add(this, i, label);
            }
        }
        return some;
    }

    /** At most so many of each class, in an order drawn by the seed: fewer are a part of more. */
    Pictures perClass(int most, long seed) {
        Pictures some = new Pictures();
        Map<Integer, Integer> seen = new TreeMap<>();
        for (int i : order(labels.size(), seed)) {
            if (seen.merge(labels.get(i), 1, Integer::sum) <= most) {
                some.add(this, i, labels.get(i));
            }
        }
        return some;
    }

    int smallestClass() {
        Map<Integer, Integer> counts = new TreeMap<>();
        labels.forEach(l -> counts.merge(l, 1, Integer::sum));
        return Collections.min(counts.values());
    }

    /** A part to learn from and one to test on. */
    record Split(Pictures train, Pictures test) {
        Split classes(List<Integer> wanted) {
            return new Split(train.classes(wanted), test.classes(wanted));
        }
    }

    /** Whole groups to test on, until each class has so many. */
    private Split split(int testPerClass) {
        Map<String, List<Integer>> members = new LinkedHashMap<>();
        for (int i : order(labels.size(), 0)) {
            members.computeIfAbsent(labels.get(i) + " " + groups.get(i), _ -> new ArrayList<>()).add(i);
        }
        Split split = new Split(new Pictures(), new Pictures());
        Map<Integer, Integer> tested = new TreeMap<>();
        for (List<Integer> group : members.values()) {
            int label = labels.get(group.getFirst());
            boolean test = tested.getOrDefault(label, 0) < testPerClass;
            for (int i : group) {
                (test ? split.test : split.train).add(this, i, label);
            }
            if (test) {
                tested.merge(label, group.size(), Integer::sum);
            }
        }
        return split;
    }

    private static List<Integer> order(int n, long seed) {
        List<Integer> order = new ArrayList<>();
        for (int i = 0; i < n; i++) {
            order.add(i);
        }
        Collections.shuffle(order, new Random(seed));
        return order;
    }

    /** As a folder of IDX that {@code --data} takes. */
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

    /** Fashion-MNIST: 60,000 to learn from and 10,000 to test on. */
    static Split clothes(Path folder) throws IOException {
        return new Split(idx(folder, "train"), idx(folder, "t10k"));
    }

    private static Pictures idx(Path folder, String part) throws IOException {
        ByteBuffer images = unzipped(folder.resolve(part + "-images-idx3-ubyte.gz")).position(16);
        ByteBuffer labels = unzipped(folder.resolve(part + "-labels-idx1-ubyte.gz")).position(8);
        Pictures all = new Pictures();
        while (labels.hasRemaining()) {
            byte[] p = new byte[SIDE * SIDE];
            images.get(p);
            all.add(p, labels.get(), String.valueOf(all.labels.size()));
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

    /** The 1,797 digits of 8x8 that come with scikit-learn (UCI, optical recognition of handwritten digits), as 24 in 28. */
    static Split digits(Path csv, int testPerClass) throws IOException {
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
                all.add(p, (int) Double.parseDouble(v[64]), String.valueOf(all.labels.size()));
            }
        }
        return all.split(testPerClass);
    }

    private static double between(double[] small, double y, double x) {
        int y0 = Math.clamp((int) Math.floor(y), 0, 6);
        int x0 = Math.clamp((int) Math.floor(x), 0, 6);
        double fy = Math.clamp(y - y0, 0, 1);
        double fx = Math.clamp(x - x0, 0, 1);
        return (1 - fy) * ((1 - fx) * small[y0 * 8 + x0] + fx * small[y0 * 8 + x0 + 1])
                + fy * ((1 - fx) * small[y0 * 8 + 8 + x0] + fx * small[y0 * 8 + 9 + x0]);
    }

    /**
     * Drawings of this size in class folders, as {@link Drawings} leaves them. Of equal pictures one is kept; files whose
     * names differ by digits alone are one group: they are variants, or an artist's series.
     */
    static Split drawings(Path root, List<String> classes, int testPerClass) throws IOException {
        Pictures all = new Pictures();
        Set<ByteBuffer> seen = new HashSet<>();
        for (String name : classes) {
            try (var files = Files.list(root.resolve(name))) {
                for (Path file : files.sorted().toList()) {
                    byte[] p = ((DataBufferByte) ImageIO.read(file.toFile()).getRaster().getDataBuffer()).getData();
                    if (seen.add(ByteBuffer.wrap(p))) {
                        all.add(p, classes.indexOf(name), file.getFileName().toString().replaceAll("\\d", ""));
                    }
                }
            }
        }
        return all.split(testPerClass);
    }
}
