package io.firn.finetune;

import io.firn.graph.Philox;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.ejml.data.DMatrixRMaj;
import org.ejml.dense.row.CommonOps_DDRM;
import org.ejml.dense.row.factory.DecompositionFactory_DDRM;
import org.ejml.interfaces.decomposition.EigenDecomposition_F64;

/**
 * How well simple classifiers tell labels from features, without a held-out part: ridge regression and k nearest
 * neighbours that leave out the very image they judge, and LogME. All of them read the features' principal components
 * Z = X V, for which XᵀX is diagonal: one eigendecomposition serves every strength of the ridge.
 */
final class Probe {
    /** Components above this are projected at random first (Johnson and Lindenstrauss 1984). */
    private static final int MOST_COMPONENTS = 512;
    /** Strengths of the ridge, as shares of the mean eigenvalue. */
    private static final double[] STRENGTHS = {1e-3, 1e-2, 1e-1, 1, 10};
    private static final int NEIGHBOURS = 5;
    /** Every image is compared with every other. */
    private static final int MOST_FOR_NEIGHBOURS = 2000;
    private static final int EVIDENCE_STEPS = 20;

    private final double[][] z;
    private final double[] eigenvalues;
    private final int[] labels;
    private final int classes;

    /** @param right for each image whether it was told rightly */
    record Outcome(boolean[] right) {
        double accuracy() {
            int n = 0;
            for (boolean r : right) {
                n += r ? 1 : 0;
            }
            return (double) n / right.length;
        }

        /**
         * By how much this is better than another on the same images, in standard errors of the difference, which counts
         * only the images on which they differ (McNemar 1947).
         */
        double errorsAbove(Outcome other) {
            int better = 0;
            int worse = 0;
            for (int i = 0; i < right.length; i++) {
                better += right[i] && !other.right[i] ? 1 : 0;
                worse += !right[i] && other.right[i] ? 1 : 0;
            }
            return better == worse ? 0 : (better - worse) / Math.sqrt(better + worse);
        }
    }

    private Probe(double[][] z, double[] eigenvalues, int[] labels, int classes) {
        this.z = z;
        this.eigenvalues = eigenvalues;
        this.labels = labels;
        this.classes = classes;
    }

    /**
     * Prepares features for all probes.
     *
     * @param features a row an image
     * @param labels   from 0 to {@code classes - 1}
     */
    static Probe of(float[][] features, int[] labels, int classes) {
        double[][] x = standardised(features);
        int n = x.length;
        int d = x[0].length;
        if (d > MOST_COMPONENTS && n > MOST_COMPONENTS) {
            x = projected(x);
            d = MOST_COMPONENTS;
        }
        DMatrixRMaj m = new DMatrixRMaj(x);
        boolean few = n < d;
        DMatrixRMaj gram = new DMatrixRMaj(few ? n : d, few ? n : d);
        if (few) {
            CommonOps_DDRM.multTransB(m, m, gram);
        } else {
            CommonOps_DDRM.multTransA(m, m, gram);
        }
        EigenDecomposition_F64<DMatrixRMaj> eigen = DecompositionFactory_DDRM.eig(gram.numRows, true, true);
        if (!eigen.decompose(gram)) {
            throw new IllegalStateException("the features have no eigenvalues");
        }
        double largest = IntStream.range(0, gram.numRows).mapToDouble(i -> eigen.getEigenvalue(i).getReal()).max().orElse(0);
        int[] kept = IntStream.range(0, gram.numRows).filter(i -> eigen.getEigenvalue(i).getReal() > 1e-9 * largest).toArray();
        double[] eigenvalues = Arrays.stream(kept).mapToDouble(i -> eigen.getEigenvalue(i).getReal()).toArray();
        double[][] z = new double[n][kept.length];
        for (int j = 0; j < kept.length; j++) {
            DMatrixRMaj v = eigen.getEigenVector(kept[j]);
            if (few) {
                for (int i = 0; i < n; i++) {
                    z[i][j] = v.get(i) * Math.sqrt(eigenvalues[j]);
                }
            } else {
                DMatrixRMaj column = new DMatrixRMaj(n, 1);
                CommonOps_DDRM.mult(m, v, column);
                for (int i = 0; i < n; i++) {
                    z[i][j] = column.get(i);
                }
            }
        }
        return new Probe(z, eigenvalues, labels, classes);
    }

    /** Each column with mean 0 and deviation 1; columns that say nothing are 0. */
    private static double[][] standardised(float[][] features) {
        int n = features.length;
        int d = features[0].length;
        double[][] x = new double[n][d];
        for (int j = 0; j < d; j++) {
            double sum = 0;
            double squares = 0;
            for (float[] row : features) {
                sum += row[j];
                squares += (double) row[j] * row[j];
            }
            double mean = sum / n;
            double deviation = Math.sqrt(Math.max(0, squares / n - mean * mean));
            for (int i = 0; i < n; i++) {
                x[i][j] = deviation <= 1e-6 * Math.abs(mean) || deviation == 0 ? 0 : (features[i][j] - mean) / deviation;
            }
        }
        return x;
    }

    /** Random signs for a tenth of the columns each: as good as normal numbers (Achlioptas 2003), and quick. */
    private static double[][] projected(double[][] x) {
        int d = x[0].length;
        int[][] columns = new int[MOST_COMPONENTS][];
        double[][] signs = new double[MOST_COMPONENTS][];
        for (int j = 0; j < MOST_COMPONENTS; j++) {
            int component = j;
            columns[j] = IntStream.range(0, d).filter(k -> Philox.below((int) Philox.next(1, component, k), 10) == 0).toArray();
            signs[j] = Arrays.stream(columns[j]).mapToDouble(k -> (Philox.next(2, component, k) & 1) == 0 ? 1 : -1).toArray();
        }
        return Arrays.stream(x).parallel().map(row -> {
            double[] out = new double[MOST_COMPONENTS];
            for (int j = 0; j < MOST_COMPONENTS; j++) {
                for (int k = 0; k < columns[j].length; k++) {
                    out[j] += signs[j][k] * row[columns[j][k]];
                }
            }
            return out;
        }).toArray(double[][]::new);
    }

    /**
     * Ridge regression of one-hot labels, each image judged by the fit without it, in closed form: the residual of the
     * whole fit over 1 - h. The strength is the one with the smallest such error.
     */
    Outcome ridge() {
        int n = z.length;
        double[] prior = new double[classes];
        for (int label : labels) {
            prior[label] += 1.0 / n;
        }
        // Zᵀ Y of centred labels: the columns of Z have mean 0 already.
        double[][] b = new double[eigenvalues.length][classes];
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < eigenvalues.length; j++) {
                b[j][labels[i]] += z[i][j];
            }
        }
        double scale = Arrays.stream(eigenvalues).average().orElse(0);
        Outcome best = null;
        double least = Double.POSITIVE_INFINITY;
        for (double strength : STRENGTHS) {
            double[] inverse = Arrays.stream(eigenvalues).map(l -> 1 / (l + strength * scale)).toArray();
            boolean[] right = new boolean[n];
            double[] errors = IntStream.range(0, n).parallel().mapToDouble(i -> judge(i, inverse, b, prior, right)).toArray();
            double error = Arrays.stream(errors).sum();
            if (error < least) {
                least = error;
                best = new Outcome(right);
            }
        }
        return best;
    }

    /** Squared error of one image's scores by the fit without it; notes whether its own class scores highest. */
    private double judge(int i, double[] inverse, double[][] b, double[] prior, boolean[] right) {
        double leverage = 1.0 / z.length;
        double[] scores = prior.clone();
        for (int j = 0; j < inverse.length; j++) {
            double weighted = z[i][j] * inverse[j];
            leverage += weighted * z[i][j];
            for (int k = 0; k < classes; k++) {
                scores[k] += weighted * b[j][k];
            }
        }
        double error = 0;
        int top = 0;
        double rest = Math.max(1e-9, 1 - leverage);
        for (int k = 0; k < classes; k++) {
            double y = k == labels[i] ? 1 : 0;
            double residual = (y - scores[k]) / rest;
            error += residual * residual;
            scores[k] = y - residual;
            top = scores[k] > scores[top] ? k : top;
        }
        right[i] = top == labels[i];
        return error;
    }

    /** Accuracy of the vote of the nearest other images by cosine, weighted by it. */
    double neighbours() {
        int n = Math.min(z.length, MOST_FOR_NEIGHBOURS);
        // Evenly spread, since a set may be sorted by class.
        int[] rows = IntStream.range(0, n).map(i -> (int) ((long) i * z.length / n)).toArray();
        float[][] unit = Arrays.stream(rows).mapToObj(r -> unit(z[r])).toArray(float[][]::new);
        return IntStream.range(0, n).parallel().filter(i -> {
            int k = Math.min(NEIGHBOURS, n - 1);
            int[] nearest = new int[k];
            float[] likeness = new float[k];
            Arrays.fill(likeness, Float.NEGATIVE_INFINITY);
            for (int j = 0; j < n; j++) {
                float cosine = j == i ? Float.NEGATIVE_INFINITY : dot(unit[i], unit[j]);
                for (int at = k - 1; at >= 0 && cosine > likeness[at]; at--) {
                    if (at < k - 1) {
                        likeness[at + 1] = likeness[at];
                        nearest[at + 1] = nearest[at];
                    }
                    likeness[at] = cosine;
                    nearest[at] = j;
                }
            }
            double[] votes = new double[classes];
            for (int at = 0; at < k; at++) {
                votes[labels[rows[nearest[at]]]] += 1 + likeness[at];
            }
            int top = 0;
            for (int c = 1; c < classes; c++) {
                top = votes[c] > votes[top] ? c : top;
            }
            return top == labels[rows[i]];
        }).count() / (double) n;
    }

    private static float[] unit(double[] row) {
        double norm = Math.sqrt(Arrays.stream(row).map(v -> v * v).sum());
        float[] unit = new float[row.length];
        for (int j = 0; j < row.length; j++) {
            unit[j] = (float) (norm == 0 ? 0 : row[j] / norm);
        }
        return unit;
    }

    private static float dot(float[] a, float[] b) {
        float sum = 0;
        for (int j = 0; j < a.length; j++) {
            sum += a[j] * b[j];
        }
        return sum;
    }

    /**
     * The logarithm of the labels' evidence under Bayesian linear regression, a label and class on average (You et al.
     * 2021, arXiv 2102.11005, algorithm 1): higher says that the features suit the labels better.
     */
    double logMe() {
        int n = z.length;
        double sum = 0;
        for (int k = 0; k < classes; k++) {
            double[] projected = new double[eigenvalues.length];
            double mean = 0;
            for (int label : labels) {
                mean += label == k ? 1.0 / n : 0;
            }
            for (int i = 0; i < n; i++) {
                if (labels[i] == k) {
                    for (int j = 0; j < projected.length; j++) {
                        projected[j] += z[i][j];
                    }
                }
            }
            sum += evidence(projected, n * mean * (1 - mean), n);
        }
        return sum / classes;
    }

    /** @param projected Zᵀ y of centred labels, whose squares sum to {@code squares} */
    private double evidence(double[] projected, double squares, int n) {
        double alpha = 1;
        double beta = 1;
        double result = 0;
        for (int step = 0; step < EVIDENCE_STEPS; step++) {
            double gamma = 0;
            double weights = 0;
            double explained = 0;
            double determinant = 0;
            for (int j = 0; j < eigenvalues.length; j++) {
                double precision = alpha + beta * eigenvalues[j];
                double w = beta * projected[j] / precision;
                gamma += beta * eigenvalues[j] / precision;
                weights += w * w;
                explained += 2 * w * projected[j] - eigenvalues[j] * w * w;
                determinant += Math.log(precision);
            }
            double residual = Math.max(1e-9, squares - explained);
            result = (eigenvalues.length * Math.log(alpha) + n * Math.log(beta) - determinant - beta * residual
                    - alpha * weights - n * Math.log(2 * Math.PI)) / 2 / n;
            alpha = gamma / Math.max(1e-9, weights);
            beta = Math.max(1e-9, n - gamma) / residual;
        }
        return result;
    }
}
