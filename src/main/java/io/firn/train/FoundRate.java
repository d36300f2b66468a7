package io.firn.train;

import java.util.List;

/**
 * What {@code firn train --find-lr} found.
 *
 * @param proposed where the smoothed loss falls the fastest: a rate to train with
 * @param minimum  where it is least: too much
 * @param rates    that were tried, a step each
 * @param losses   of the steps
 * @param smoothed their moving average
 * @param output   the folder with {@code lr.json} and {@code lr.html}
 */
public record FoundRate(double proposed, double minimum, List<Double> rates, List<Double> losses, List<Double> smoothed,
                        String output) {
    public FoundRate {
        rates = List.copyOf(rates);
        losses = List.copyOf(losses);
        smoothed = List.copyOf(smoothed);
    }
}
