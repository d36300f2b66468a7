package io.firn.train;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.firn.backend.Session;
import io.firn.data.Batches;
import io.firn.data.Loader;
import io.firn.files.AtomicFile;
import io.firn.report.RatePage;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * Looks for a learning rate by the range test (Smith 2017, arXiv 1506.01186): the rate grows by a constant factor from step
 * to step until the loss explodes. The proposed rate is where the smoothed loss falls the fastest, by the logarithm of the
 * rate, before its minimum. What it trains is thrown away.
 */
final class RateFinder {
    private static final int STEPS = 100;
    private static final double LEAST = 1e-6;
    private static final double SMOOTHING = 0.9;
    /** The smoothed loss, as a multiple of the least so far, at which there is nothing more to see. */
    private static final double EXPLODED = 4;
    /** The first steps, whose smoothed losses are hardly smooth. */
    private static final int SKIPPED = 5;

    private RateFinder() {
    }

    /** Steps through the rates up to {@code most}. */
    static FoundRate find(Setup setup, Session session, double most, Consumer<String> say) {
        List<Double> rates = new ArrayList<>();
        List<Double> losses = new ArrayList<>();
        List<Double> smoothed = new ArrayList<>();
        TrainStep step = new TrainStep(setup, session, ImageInput.pixels(session));
        int resolution = setup.options().net().resolution();
        try (Loader loader = new Loader(setup.train(), setup.training(setup.share()),
                damaged -> say.accept("skipping a damaged image: " + damaged.getMessage()))) {
            int each = setup.stepsPerEpoch();
            double average = 0;
            double best = Double.POSITIVE_INFINITY;
            for (int epoch = 0; rates.size() < STEPS; epoch++) {
                try (Batches batches = loader.epoch(epoch, 0)) {
                    for (int i = 0; i < each && rates.size() < STEPS; i++) {
                        double rate = LEAST * Math.pow(most / LEAST, rates.size() / (STEPS - 1.0));
                        float loss = step.await(step.begin(batches, resolution, rate, rates.size(), 0, false));
                        average = SMOOTHING * average + (1 - SMOOTHING) * loss;
                        double smooth = average / (1 - Math.pow(SMOOTHING, rates.size() + 1));
                        rates.add(rate);
                        losses.add((double) loss);
                        smoothed.add(smooth);
                        best = Math.min(best, smooth);
                        if (!(smooth <= EXPLODED * best)) {
                            return found(rates, losses, smoothed);
                        }
                    }
                }
            }
        }
        return found(rates, losses, smoothed);
    }

    /** The proposal for a curve. */
    static FoundRate found(List<Double> rates, List<Double> losses, List<Double> smoothed) {
        int minimum = 0;
        for (int i = 0; i < smoothed.size(); i++) {
            minimum = smoothed.get(i) < smoothed.get(minimum) ? i : minimum;
        }
        int steepest = Math.min(SKIPPED, minimum);
        double fall = 0;
        for (int i = SKIPPED; i < minimum; i++) {
            double slope = (smoothed.get(i + 1) - smoothed.get(i - 1)) / 2;
            if (slope < fall) {
                fall = slope;
                steepest = i;
            }
        }
        return new FoundRate(rates.get(steepest), rates.get(minimum), rates, losses, smoothed, null);
    }

    /** Writes {@code lr.json} and {@code lr.html}; what else is in the folder stays. */
    static FoundRate write(FoundRate found, Path folder, String model) {
        FoundRate named = new FoundRate(found.proposed(), found.minimum(), found.rates(), found.losses(), found.smoothed(),
                folder.toString());
        try {
            AtomicFile.write(folder.resolve("lr.json"), JsonMapper.builder().build().writerWithDefaultPrettyPrinter()
                    .writeValueAsBytes(named));
        } catch (JacksonException e) {
            throw new IllegalStateException(e);
        }
        AtomicFile.write(folder.resolve("lr.html"), RatePage.html(model, found.rates(), found.losses(), found.smoothed(),
                found.proposed(), found.minimum()).getBytes(StandardCharsets.UTF_8));
        return named;
    }
}
