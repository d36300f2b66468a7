package io.firn.train;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;
import java.util.stream.IntStream;

/**
 * What a network says about one image.
 *
 * @param file   as it was given, or found in a folder that was given
 * @param logits a number a class
 * @param top    the most probable classes, best first
 */
public record Prediction(String file, List<Float> logits, List<Ranked> top) {
    static final int TOP = 5;

    public Prediction {
        logits = List.copyOf(logits);
        top = List.copyOf(top);
    }

    /** A class with its probability (softmax over the logits). */
    public record Ranked(@JsonProperty("class") String name, double probability) {
    }

    static Prediction of(String file, float[] logits, int from, List<String> classes, int most) {
        double largest = Double.NEGATIVE_INFINITY;
        for (int c = 0; c < classes.size(); c++) {
            largest = Math.max(largest, logits[from + c]);
        }
        double sum = 0;
        for (int c = 0; c < classes.size(); c++) {
            sum += Math.exp(logits[from + c] - largest);
        }
        double shift = largest + Math.log(sum);
        List<Ranked> top = IntStream.range(0, classes.size()).boxed()
                .sorted((a, b) -> Float.compare(logits[from + b], logits[from + a])).limit(most)
                .map(c -> new Ranked(classes.get(c), Math.exp(logits[from + c] - shift))).toList();
        return new Prediction(file, IntStream.range(0, classes.size()).mapToObj(c -> logits[from + c]).toList(), top);
    }
}
