package io.firn.study;

import java.util.Arrays;
import org.apache.commons.statistics.distribution.TDistribution;

/**
 * Is the mean of one sample above another's? Welch's test for samples of different spread (1947), one-sided.
 *
 * @param difference of the means
 * @param error      standard error of the difference
 * @param degrees    of freedom, by Welch and Satterthwaite
 */
record Welch(double difference, double error, double degrees) {

    /** Compares two samples of at least two values each; their sum of variances over sizes may be 0. */
    static Welch of(double[] above, double[] below) {
        return of(new double[][] {above}, new double[][] {below});
    }

    /** Compares the sum of the first samples' means with the sum of the second ones'. */
    static Welch of(double[][] plus, double[][] minus) {
        double difference = Arrays.stream(plus).mapToDouble(Welch::mean).sum()
                - Arrays.stream(minus).mapToDouble(Welch::mean).sum();
        double variance = 0;
        double spread = 0;
        for (double[][] side : new double[][][] {plus, minus}) {
            for (double[] sample : side) {
                double of = variance(sample) / sample.length;
                variance += of;
                spread += of * of / (sample.length - 1);
            }
        }
        return new Welch(difference, Math.sqrt(variance), spread == 0 ? Double.POSITIVE_INFINITY : variance * variance / spread);
    }

    static double mean(double[] sample) {
        return Arrays.stream(sample).average().orElseThrow();
    }

    /** Unbiased. */
    static double variance(double[] sample) {
        if (sample.length < 2) {
            throw new IllegalArgumentException("a sample of " + sample.length);
        }
        double mean = mean(sample);
        return Arrays.stream(sample).map(v -> (v - mean) * (v - mean)).sum() / (sample.length - 1);
    }

    /** Probability of a difference at least as large where there is none. */
    double p() {
        return error == 0 ? difference > 0 ? 0 : difference < 0 ? 1 : 0.5
                : TDistribution.of(degrees).survivalProbability(difference / error);
    }

    /** Half the width of the two-sided confidence interval. */
    double halfWidth(double confidence) {
        return error == 0 ? 0 : error * TDistribution.of(degrees).inverseSurvivalProbability((1 - confidence) / 2);
    }
}
