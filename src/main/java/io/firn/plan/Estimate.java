package io.firn.plan;

import io.firn.graph.Convolution;
import io.firn.graph.Node;

/**
 * Predicts a launch's time by the roofline (Williams et al. 2009): the larger of its arithmetic and its memory traffic,
 * at the target's rates for large operands, plus the fixed cost of a launch.
 */
record Estimate(Target target, Precision precision) {

    double milliseconds(Subgraph s, long bytes) {
        Target.Rates rates = target.rates();
        boolean vector = s.nodes().stream().anyMatch(Estimate::byChannel);
        double flops = vector ? rates.vector() : rates.flops(precision);
        return 1e3 * (Math.max(s.flops() / flops, bytes / rates.bandwidth()) + rates.launchSeconds());
    }

    private static boolean byChannel(Node n) {
        return switch (n.op()) {
            case Convolution.Wgrad w -> Convolution.isDepthwise(w.groups(), n.output().shape());
            case Convolution c -> Convolution.isDepthwise(c.groups(), n.input(1).shape());
            default -> false;
        };
    }
}
