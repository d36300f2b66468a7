package io.firn.plan;

import io.firn.graph.Convolution;
import io.firn.graph.Node;

/**
 * Predicts a launch's time by the roofline (Williams et al. 2009): the larger of its arithmetic and its memory traffic,
 * at the target's rates for large operands, plus the fixed cost of a launch; a collective's by what travels.
 */
record Estimate(Target target, Precision precision, Ranks ranks) {

    double milliseconds(Subgraph s, long bytes) {
        Target.Rates rates = target.rates();
        if (Streams.isCollective(s)) {
            return 1e3 * (Network.of(target).allReduceSeconds(payload(s), ranks.count()) + rates.launchSeconds());
        }
        boolean vector = s.nodes().stream().anyMatch(Estimate::byChannel);
        double flops = vector ? rates.vector() : rates.flops(precision);
        return 1e3 * (Math.max(s.flops() / flops, bytes / rates.bandwidth()) + rates.launchSeconds());
    }

    /** Bytes that a collective exchanges. */
    static long payload(Subgraph s) {
        return s.inputs().stream().mapToLong(v -> v.type().bytes()).sum();
    }

    private static boolean byChannel(Node n) {
        return switch (n.op()) {
            case Convolution.Wgrad w -> Convolution.isDepthwise(w.groups(), n.output().shape());
            case Convolution c -> Convolution.isDepthwise(c.groups(), n.input(1).shape());
            default -> false;
        };
    }
}
