package io.firn.train;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SequenceWriter;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.firn.data.Dataset;
import io.firn.files.AtomicFile;
import io.firn.report.Shown;
import java.nio.channels.Channels;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.stream.IntStream;

/**
 * What a network said about each image of a validation: {@code predictions.jsonl}. A first line tells of the validation,
 * then comes a line an image, then small pictures of those that are worth a look. A few bytes an image are held.
 */
final class Outcomes {
    private final Dataset set;
    private final int[] images;
    private final int[] labels;
    private final int[] predicted;
    private final float[] confidence;
    private final float[] ofLabel;
    private int count;

    Outcomes(Dataset set) {
        this.set = set;
        images = new int[set.size()];
        labels = new int[set.size()];
        predicted = new int[set.size()];
        confidence = new float[set.size()];
        ofLabel = new float[set.size()];
    }

    /** The first line. */
    @JsonPropertyOrder({"kind", "epoch", "step", "images", "loss", "top1", "classes"})
    private record Validation(String kind, int epoch, long step, int images, double loss, double top1,
                              List<String> classes) {
    }

    /** An image's line: the label, the class that the network takes it for, and its probability of either. */
    @JsonPropertyOrder({"kind", "image", "label", "predicted", "confidence", "label_probability"})
    private record Line(String kind, int image, int label, int predicted, float confidence, float labelProbability) {
    }

    /** What an image looks like to the network: a data URI, and where it is. */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    @JsonPropertyOrder({"kind", "image", "file", "picture"})
    private record Picture(String kind, int image, String file, String picture) {
    }

    /**
     * Adds an image with a label.
     *
     * @param loss   its cross-entropy
     * @param logits {@code classes} numbers from {@code from} on
     */
    void add(int image, int label, double loss, float[] logits, int from, int classes) {
        int best = 0;
        for (int c = 1; c < classes; c++) {
            if (logits[from + c] > logits[from + best]) {
                best = c;
            }
        }
        images[count] = image;
        labels[count] = label;
        predicted[count] = best;
        // The logarithm of the sum of exponentials is the label's logit and its loss.
        confidence[count] = (float) Math.exp(logits[from + best] - logits[from + label] - loss);
        ofLabel[count] = (float) Math.exp(-loss);
        count++;
    }

    /** Replaces a run's file. */
    void write(Path file, Position at, Evaluation e, List<String> classes, Preprocessing preprocessing) {
        ObjectMapper json = JsonMapper.builder().propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE).build();
        ObjectWriter lines = json.writer().withRootValueSeparator("\n")
                .without(SerializationFeature.FLUSH_AFTER_WRITE_VALUE);
        AtomicFile.write(file, channel -> {
            // Not closed: that would close the channel, which is yet to be flushed.
            SequenceWriter out = lines.writeValues(Channels.newOutputStream(channel));
            out.write(new Validation("validation", at.epoch(), at.step(), count, e.loss(), e.top1(), classes));
            for (int i = 0; i < count; i++) {
                out.write(new Line("prediction", images[i], labels[i], predicted[i], confidence[i], ofLabel[i]));
            }
            for (int i : worthALook()) {
                out.write(new Picture("picture", images[i], set.describe(images[i]),
                        Thumbnail.of(set, images[i], preprocessing).orElse(null)));
            }
            out.flush();
        });
    }

    /** The worst, the most confident of the commonest mistakes, and some from all over the set: places in the arrays. */
    private SortedSet<Integer> worthALook() {
        SortedSet<Integer> chosen = new TreeSet<>();
        IntStream.range(0, count).boxed().sorted(Comparator.comparingDouble(i -> ofLabel[i])).limit(Shown.WORST)
                .forEach(chosen::add);
        Shown.examples(count).forEach(chosen::add);
        Map<List<Integer>, Integer> mistakes = new HashMap<>();
        IntStream.range(0, count).filter(i -> labels[i] != predicted[i])
                .forEach(i -> mistakes.merge(Arrays.asList(labels[i], predicted[i]), 1, Integer::sum));
        Comparator<Map.Entry<List<Integer>, Integer>> commonest = Map.Entry.comparingByValue(Comparator.reverseOrder());
        mistakes.entrySet().stream()
                .sorted(commonest.thenComparing(m -> m.getKey().get(0)).thenComparing(m -> m.getKey().get(1))).limit(Shown.PAIRS)
                .forEach(m -> IntStream.range(0, count)
                        .filter(i -> labels[i] == m.getKey().get(0) && predicted[i] == m.getKey().get(1)).boxed()
                        .sorted(Comparator.comparingDouble(i -> -confidence[i])).limit(Shown.OF_A_PAIR).forEach(chosen::add));
        return chosen;
    }
}
