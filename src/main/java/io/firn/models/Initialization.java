package io.firn.models;

import io.firn.graph.Graph;
import io.firn.graph.Op;
import io.firn.graph.Shape;
import io.firn.graph.State;
import java.util.function.DoubleSupplier;
import java.util.random.RandomGenerator;

/**
 * What a family's fresh states hold. Common to all: convolutions (squeeze-and-excitation's too) are Kaiming normal by
 * fan out with the gain of ReLU (He et al. 2015, arXiv 1502.01852, equation 14), batch norms and their running
 * statistics the identity, biases 0. The classifiers differ.
 */
public enum Initialization {
    /** torchvision's ResNets: PyTorch's default for Linear, uniform within ±1/√inputs for weight and bias. */
    RESNET {
        @Override
        DoubleSupplier classifier(Shape weight, boolean bias, RandomGenerator random) {
            return uniform(1 / Math.sqrt(weight.dim(1)), random);
        }
    },
    /** torchvision's EfficientNets: uniform within ±1/√outputs, bias 0. */
    EFFICIENTNET {
        @Override
        DoubleSupplier classifier(Shape weight, boolean bias, RandomGenerator random) {
            return bias ? () -> 0 : uniform(1 / Math.sqrt(weight.dim(0)), random);
        }
    },
    /** The nets for CIFAR (He et al. 2015, arXiv 1512.03385, section 4.2): Kaiming normal, by fan in here; bias 0. */
    CIFAR {
        @Override
        DoubleSupplier classifier(Shape weight, boolean bias, RandomGenerator random) {
            return bias ? () -> 0 : normal(Math.sqrt(2.0 / weight.dim(1)), random);
        }
    };

    abstract DoubleSupplier classifier(Shape weight, boolean bias, RandomGenerator random);

    /**
     * A source of the elements of one state, in order; it draws them from {@code random} where they are random.
     *
     * @param graph that the state belongs to
     */
    public DoubleSupplier sampler(Graph graph, State state, RandomGenerator random) {
        return switch (state.kind()) {
            case OPTIMIZER -> state::initial;
            case AVERAGE, GRADIENT -> () -> 0;
            case STATISTIC -> constant(state.name().endsWith(".running_var"));
            case PARAMETER -> parameter(graph, state, random);
        };
    }

    private DoubleSupplier parameter(Graph graph, State state, RandomGenerator random) {
        Shape shape = state.value().shape();
        boolean bias = state.name().endsWith(".bias");
        if (shape.rank() == 1 && !bias) {
            return constant(true);
        }
        Shape weight = bias ? weightBeside(graph, state) : shape;
        return switch (weight.rank()) {
            // A batch norm's bias, or that of squeeze-and-excitation's products.
            case 1 -> constant(false);
            case 4 -> bias ? constant(false)
                    : normal(Math.sqrt(2.0 / ((double) weight.dim(0) * weight.area())), random);
            case 2 -> classifier(weight, bias, random);
            default -> throw new IllegalArgumentException("%s %s is neither convolution nor classifier"
                    .formatted(state.name(), weight));
        };
    }

    private static Shape weightBeside(Graph graph, State bias) {
        String module = bias.name().substring(0, bias.name().length() - ".bias".length());
        Shape shape = graph.state(module + ".weight").value().shape();
        Op.check(shape.dim(0) == bias.value().shape().dim(0), "%s does not fit its weight %s", bias.name(), shape);
        return shape;
    }

    private static DoubleSupplier constant(boolean one) {
        return one ? () -> 1 : () -> 0;
    }

    private static DoubleSupplier normal(double deviation, RandomGenerator random) {
        return () -> deviation * random.nextGaussian();
    }

    private static DoubleSupplier uniform(double bound, RandomGenerator random) {
        return () -> random.nextDouble(-bound, bound);
    }
}
