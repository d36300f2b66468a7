package io.firn.study;

import io.firn.weights.Tensor;
import io.firn.weights.WeightFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Standard deviations of layers' responses (He et al. 2015, arXiv 1512.03385, figure 7): of the outputs of each 3x3
 * convolution after its batch norm, before activation or addition.
 *
 * <p>No activation has to be read. In a batch, channel c of a batch norm's output has mean β<sub>c</sub> and variance
 * γ<sub>c</sub>² v/(v + ε), where v is the variance that it normalises by; the variance of all of a layer's responses is
 * thus the mean of the latter plus the variance of the former over channels. v comes from the running statistics.
 */
final class Responses {
    private Responses() {
    }

    /** In a net's order, of the layers whose convolution is 3x3. */
    static List<Double> of(Path weights, double eps) {
        return of(WeightFile.read(weights).weights().tensors(), eps);
    }

    static List<Double> of(Map<String, Tensor> tensors, double eps) {
        List<Double> all = new ArrayList<>();
        for (String name : tensors.keySet()) {
            Tensor kernel = tensors.get(name);
            if (kernel.shape().rank() == 4 && kernel.shape().dim(2) == 3) {
                // torchvision's names: conv1 goes with bn1, layer1.0.conv2 with layer1.0.bn2.
                String norm = name.replaceFirst("conv(\\d+)\\.weight$", "bn$1");
                all.add(deviation(tensors.get(norm + ".weight").data(), tensors.get(norm + ".bias").data(),
                        tensors.get(norm + ".running_var").data(), eps));
            }
        }
        return all;
    }

    private static double deviation(float[] gamma, float[] beta, float[] variance, double eps) {
        double within = 0;
        double mean = 0;
        double square = 0;
        for (int c = 0; c < gamma.length; c++) {
            within += (double) gamma[c] * gamma[c] * variance[c] / (variance[c] + eps);
            mean += beta[c];
            square += (double) beta[c] * beta[c];
        }
        int n = gamma.length;
        return Math.sqrt(within / n + Math.max(0, square / n - mean * mean / n / n));
    }
}
