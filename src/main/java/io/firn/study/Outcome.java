package io.firn.study;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.firn.error.UserError;
import io.firn.files.AtomicFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What a run's {@code metrics.jsonl} says at its end.
 *
 * @param top1       of the last validation; NaN without one
 * @param trainLoss  of the last epoch
 * @param imagesPerS median over the steps
 */
record Outcome(double top1, double trainLoss, double imagesPerS) {
    private static final JsonMapper JSON = JsonMapper.builder().build();

    static Outcome read(Path run) {
        Path metrics = run.resolve("metrics.jsonl");
        double top1 = Double.NaN;
        double loss = Double.NaN;
        List<Double> speeds = new ArrayList<>();
        try (var lines = Files.lines(metrics)) {
            for (String line : (Iterable<String>) lines::iterator) {
                JsonNode n = JSON.readTree(line);
                if (n.path("kind").asText().equals("epoch")) {
                    top1 = n.path("val_top1").isNumber() ? n.path("val_top1").doubleValue() : Double.NaN;
                    loss = n.path("train_loss").asDouble();
                } else {
                    speeds.add(n.path("images_per_s").asDouble());
                }
            }
        } catch (IOException e) {
            throw UserError.data("%s: %s", metrics, AtomicFile.reason(e)).causedBy(e);
        }
        double[] sorted = speeds.stream().mapToDouble(Double::doubleValue).sorted().toArray();
        return new Outcome(top1, loss, sorted.length == 0 ? Double.NaN : sorted[sorted.length / 2]);
    }
}
