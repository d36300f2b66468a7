package io.firn.finetune;

import java.util.Arrays;
import org.ejml.data.DMatrixRMaj;
import org.ejml.dense.row.CommonOps_DDRM;
import org.ejml.dense.row.factory.LinearSolverFactory_DDRM;
import org.ejml.interfaces.linsol.LinearSolverDense;

/**
 * A classifier to start from, in closed form: the ridge regression that {@link Probe} judged, as weight and bias of the
 * network's own head. Fine-tuning that begins with a head which knows nothing spoils the features below it first (Kumar et
 * al. 2022, arXiv 2202.10054).
 *
 * <p>Features are brought to one deviation, but those that vary less than is usual are not stretched: batch norms that are
 * trained go by their batch, which moves a feature that hardly varies by many of its deviations.
 *
 * <p>A ridge's scores lie about 0 and 1; they become logits by the factor under which the labels are the most likely, each
 * image judged by the fit without it.
 *
 * @param weight [classes, features]
 * @param bias   [classes]
 */
record HeadStart(float[] weight, float[] bias, double accuracy) {
    private static final double[] FACTORS = {1, 2, 4, 6, 8, 12, 16, 24, 32, 64};

    static HeadStart of(float[][] features, int[] labels, int classes) {
        Probe.Outcome judged = Probe.of(features, labels, classes).ridge();
        int n = features.length;
        int d = features[0].length;
        double[] mean = new double[d];
        double[] deviation = new double[d];
        for (int j = 0; j < d; j++) {
            double squares = 0;
            for (float[] row : features) {
                mean[j] += row[j] / (double) n;
                squares += (double) row[j] * row[j] / n;
            }
            deviation[j] = Math.sqrt(Math.max(0, squares - mean[j] * mean[j]));
        }
        double usual = Math.sqrt(Arrays.stream(deviation).map(v -> v * v).sum() / d);
        double[] scale = Arrays.stream(deviation).map(v -> Math.max(v, usual)).toArray();
        DMatrixRMaj x = new DMatrixRMaj(Probe.standardised(features));
        for (int j = 0; j < d; j++) {
            double shrunk = scale[j] == 0 ? 0 : deviation[j] / scale[j];
            for (int i = 0; i < n; i++) {
                x.set(i, j, shrunk * x.get(i, j));
            }
        }
        double[] prior = new double[classes];
        DMatrixRMaj y = new DMatrixRMaj(n, classes);
        for (int i = 0; i < n; i++) {
            prior[labels[i]] += 1.0 / n;
            y.set(i, labels[i], 1);
        }
        for (int i = 0; i < n; i++) {
            for (int k = 0; k < classes; k++) {
                y.add(i, k, -prior[k]);
            }
        }
        DMatrixRMaj w = solved(x, y, judged.strength());
        double factor = factor(judged.scores(), labels);
        float[] weight = new float[classes * d];
        double[] bias = Arrays.stream(prior).map(p -> factor * p).toArray();
        for (int k = 0; k < classes; k++) {
            for (int j = 0; j < d; j++) {
                double v = scale[j] == 0 ? 0 : factor * w.get(j, k) / scale[j];
                weight[k * d + j] = (float) v;
                bias[k] -= v * mean[j];
            }
        }
        float[] b = new float[classes];
        for (int k = 0; k < classes; k++) {
            b[k] = (float) bias[k];
        }
        return new HeadStart(weight, b, judged.accuracy());
    }

    /** (XᵀX + λ)⁻¹ XᵀY, by whichever of XᵀX and XXᵀ is smaller. */
    private static DMatrixRMaj solved(DMatrixRMaj x, DMatrixRMaj y, double strength) {
        int n = x.numRows;
        int d = x.numCols;
        boolean few = n < d;
        DMatrixRMaj gram = new DMatrixRMaj(Math.min(n, d), Math.min(n, d));
        if (few) {
            CommonOps_DDRM.multTransB(x, x, gram);
        } else {
            CommonOps_DDRM.multTransA(x, x, gram);
        }
        // The mean of the eigenvalues that are not zero, of which there are at most so many.
        double lambda = strength * CommonOps_DDRM.trace(gram) / gram.numRows;
        for (int i = 0; i < gram.numRows; i++) {
            gram.add(i, i, Math.max(lambda, 1e-9));
        }
        LinearSolverDense<DMatrixRMaj> solver = LinearSolverFactory_DDRM.chol(gram.numRows);
        if (!solver.setA(gram)) {
            throw new IllegalStateException("the features have no ridge regression");
        }
        DMatrixRMaj w = new DMatrixRMaj(d, y.numCols);
        if (few) {
            DMatrixRMaj a = new DMatrixRMaj(n, y.numCols);
            solver.solve(y, a);
            CommonOps_DDRM.multTransA(x, a, w);
        } else {
            DMatrixRMaj target = new DMatrixRMaj(d, y.numCols);
            CommonOps_DDRM.multTransA(x, y, target);
            solver.solve(target, w);
        }
        return w;
    }

    private static double factor(double[][] scores, int[] labels) {
        double best = 1;
        double least = Double.POSITIVE_INFINITY;
        for (double factor : FACTORS) {
            double loss = 0;
            for (int i = 0; i < scores.length; i++) {
                double most = Arrays.stream(scores[i]).max().orElse(0);
                double sum = 0;
                for (double s : scores[i]) {
                    sum += Math.exp(factor * (s - most));
                }
                loss += Math.log(sum) - factor * (scores[i][labels[i]] - most);
            }
            if (loss < least) {
                least = loss;
                best = factor;
            }
        }
        return best;
    }
}
