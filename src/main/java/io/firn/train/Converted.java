package io.firn.train;

import io.firn.error.UserError;
import io.firn.graph.Graph;
import io.firn.graph.Shape;
import io.firn.models.Model;
import io.firn.weights.OnnxWriter;
import io.firn.weights.Safetensors;
import io.firn.weights.WeightFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.Consumer;

/**
 * A weight file that was written in another format, or under torchvision's names, or with what {@code predict} needs.
 *
 * @param input      that was read
 * @param from       its format: {@code safetensors}, {@code pth} or {@code onnx}
 * @param output     that was written
 * @param to         its format: {@code safetensors} or {@code onnx}
 * @param model      a name of {@code firn models}
 * @param parameters trainable numbers
 * @param bytes      of the output
 */
public record Converted(String input, String from, String output, String to, String model, long parameters, long bytes) {

    /**
     * Reads, checks and writes.
     *
     * @param init   a weight file or a run folder
     * @param output whose suffix says the format
     * @param asked  as of {@link Classifier#open}
     * @param fold   for ONNX: whether batch norms become part of the convolutions before them
     * @param others weight files or run folders of the same net and classes, whose mean with {@code init} is written
     * @param say    told what was put right
     */
    public static Converted write(Path init, Path output, Config asked, boolean fold, List<Path> others,
                                  Consumer<String> say) {
        WeightFile.Format to = format(output);
        if (fold && to != WeightFile.Format.ONNX) {
            throw UserError.usage("--fold is for ONNX: %s keeps weights, and folding cannot be undone", output);
        }
        Path input = WeightFiles.find(init);
        WeightFile read = WeightFile.read(input);
        read.messages().forEach(say);
        TrainedNet net = TrainedNet.of(read.weights(), input, asked, say);
        Model model = net.card().build(1);
        Map<String, float[]> tensors = new LinkedHashMap<>();
        net.tensors().forEach((name, t) -> tensors.put(name, t.data()));
        average(tensors, net, input, others, asked, say);
        if (to == WeightFile.Format.ONNX) {
            OnnxWriter.write(output, model.name(), model.graph(), tensors, fold, net.card().metadata());
        } else {
            Safetensors.write(output, read.weights().fitted(shapes(model.graph()), tensors, net.card().metadata()));
        }
        return new Converted(input.toString(), read.format().label(), output.toString(), to.label(), model.name(),
                model.graph().parameterCount(), size(output));
    }

    /** One file after the other, so that few are in memory; sums are in double precision. */
    private static void average(Map<String, float[]> tensors, TrainedNet net, Path input, List<Path> others, Config asked,
                                Consumer<String> say) {
        if (others.isEmpty()) {
            return;
        }
        Map<String, double[]> sums = new LinkedHashMap<>();
        tensors.forEach((name, data) -> {
            double[] sum = new double[data.length];
            Arrays.setAll(sum, i -> data[i]);
            sums.put(name, sum);
        });
        for (Path each : others) {
            TrainedNet other = TrainedNet.read(each, asked, say);
            if (!other.card().equals(net.card())) {
                throw UserError.data("--average %s: it is not the net that %s is (model, classes and preprocessing must be "
                        + "equal)", each, input);
            }
            // The same model, so the same tensors.
            other.tensors().forEach((name, t) -> {
                float[] data = t.data();
                double[] sum = sums.get(name);
                for (int i = 0; i < sum.length; i++) {
                    sum[i] += data[i];
                }
            });
        }
        sums.forEach((name, sum) -> {
            // What was read may be shared.
            float[] mean = new float[sum.length];
            for (int i = 0; i < mean.length; i++) {
                mean[i] = (float) (sum[i] / (others.size() + 1));
            }
            tensors.put(name, mean);
        });
    }

    private static WeightFile.Format format(Path output) {
        String name = output.toString().toLowerCase(Locale.ROOT);
        if (name.endsWith(".safetensors")) {
            return WeightFile.Format.SAFETENSORS;
        }
        if (name.endsWith(".onnx")) {
            return WeightFile.Format.ONNX;
        }
        throw UserError.usage("%s: the format is taken from the name, which must end with .safetensors (which PyTorch reads "
                + "too) or .onnx", output);
    }

    private static SequencedMap<String, Shape> shapes(Graph graph) {
        SequencedMap<String, Shape> shapes = new LinkedHashMap<>();
        graph.states().forEach(s -> shapes.put(s.name(), s.value().shape()));
        return shapes;
    }

    private static long size(Path file) {
        try {
            return Files.size(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
