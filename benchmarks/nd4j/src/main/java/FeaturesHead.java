import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.TreeSet;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.ops.transforms.Transforms;
import org.nd4j.shade.jackson.databind.JsonNode;
import org.nd4j.shade.jackson.databind.ObjectMapper;

/**
 * An ND4J program, on the CPU or with CUDA 11.6, that trains a linear classifier on what Firn's network says of images: it
 * reads the safetensors file of {@code firn predict --features FILE} (or the same from standard input, as {@code -}), takes
 * the class of each image from its folder's name, holds every fifth image out, and prints how many of those it names right.
 * Usage: FeaturesHead FILE|- [STEPS].
 */
public final class FeaturesHead {
    private static final long LONGEST_HEADER = 100_000_000;

    private FeaturesHead() {
    }

    /** {@code features}, a row an image, and the images' files. */
    private record Features(INDArray rows, List<String> files) {
        static Features read(InputStream in) throws IOException {
            long length = ByteBuffer.wrap(exactly(in, 8)).order(ByteOrder.LITTLE_ENDIAN).getLong();
            if (length < 2 || length > LONGEST_HEADER) {
                throw new IOException("no safetensors file: its header is said to have " + length + " bytes");
            }
            ObjectMapper json = new ObjectMapper();
            JsonNode header = json.readTree(exactly(in, (int) length));
            JsonNode features = header.path("features");
            int images = features.path("shape").path(0).asInt();
            int width = features.path("shape").path(1).asInt();
            long from = features.path("data_offsets").path(0).asLong();
            long bytes = features.path("data_offsets").path(1).asLong() - from;
            if (images < 1 || bytes != 4L * images * width) {
                throw new IOException("no 'features' of f32 [images, features] in the file");
            }
            in.skipNBytes(from);
            float[] values = new float[Math.multiplyExact(images, width)];
            for (int i = 0; i < images; i++) {
                ByteBuffer.wrap(exactly(in, 4 * width)).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values, i * width, width);
            }
            List<String> files = new ArrayList<>();
            json.readTree(header.path("__metadata__").path("files").asText("[]")).forEach(f -> files.add(f.asText()));
            if (files.size() != images) {
                throw new IOException(images + " images, but " + files.size() + " names of files");
            }
            return new Features(Nd4j.createFromArray(values).reshape(images, width), files);
        }

        private static byte[] exactly(InputStream in, int bytes) throws IOException {
            byte[] read = in.readNBytes(bytes);
            if (read.length < bytes) {
                throw new IOException("the file ends too early");
            }
            return read;
        }
    }

    public static void main(String[] args) throws IOException {
        int steps = args.length > 1 ? Integer.parseInt(args[1]) : 1000;
        Features features;
        try (InputStream in = args[0].equals("-") ? System.in : Files.newInputStream(Path.of(args[0]))) {
            features = Features.read(in);
        }
        List<String> labels = features.files.stream().map(f -> Path.of(f).getParent().getFileName().toString()).toList();
        List<String> classes = List.copyOf(new TreeSet<>(labels));
        List<Integer> order = new ArrayList<>();
        for (int i = 0; i < labels.size(); i++) {
            order.add(i);
        }
        Collections.shuffle(order, new Random(0));
        int held = order.size() / 5;
        int[] test = order.subList(0, held).stream().mapToInt(i -> i).toArray();
        int[] train = order.subList(held, order.size()).stream().mapToInt(i -> i).toArray();

        INDArray mean = features.rows.getRows(train).mean(0);
        INDArray x = features.rows.subRowVector(mean);
        INDArray weight = fit(x.getRows(train), labels, train, classes, steps);
        INDArray named = x.getRows(test).mmul(weight).argMax(1);
        int right = 0;
        for (int i = 0; i < held; i++) {
            right += classes.get(named.getInt(i)).equals(labels.get(test[i])) ? 1 : 0;
        }
        System.out.printf(Locale.ROOT, "%s: %d features of %d images in %d classes; %d of %d held out named right%n",
                Nd4j.getBackend().getClass().getSimpleName(), x.columns(), x.rows(), classes.size(), right, held);
    }

    /** Softmax regression by gradient descent on the whole set; its rate is what the features' size allows. */
    private static INDArray fit(INDArray x, List<String> labels, int[] images, List<String> classes, int steps) {
        INDArray y = Nd4j.zeros(images.length, classes.size());
        for (int i = 0; i < images.length; i++) {
            y.putScalar(i, classes.indexOf(labels.get(images[i])), 1);
        }
        INDArray weight = Nd4j.zeros(x.columns(), classes.size());
        double rate = 2 / x.mul(x).sumNumber().doubleValue(); // the loss's curvature is at most its inverse
        for (int step = 0; step < steps; step++) {
            INDArray error = Transforms.softmax(x.mmul(weight)).subi(y);
            weight.subi(x.transpose().mmul(error).muli(rate));
        }
        return weight;
    }
}
