package io.firn.plan;

/**
 * What connects ranks, as data: stated rates, of which a share is assumed to be reached. Nothing here is measured.
 *
 * @param perNode      ranks within a node
 * @param inner        bytes a second that a rank sends to another of its node
 * @param outer        bytes a second that a rank sends to another node, while all of its node do
 * @param innerLatency seconds a message takes within a node
 * @param outerLatency seconds a message takes between nodes
 * @param source       where the numbers come from
 */
public record Network(int perNode, double inner, double outer, double innerLatency, double outerLatency, String source) {
    /** What such devices usually have between them. */
    public static Network of(Target target) {
        return switch (target.name()) {
            case "h100", "h200" -> new Network(8, 0.8 * 450e9, 0.8 * 50e9, 2e-6, 5e-6,
                    "NVLink 4 and one 400 Gb/s adapter a GPU as stated by NVIDIA, 80 % assumed");
            case "a100" -> new Network(8, 0.8 * 300e9, 0.8 * 25e9, 2e-6, 5e-6,
                    "NVLink 3 and one 200 Gb/s adapter a GPU as stated by NVIDIA, 80 % assumed");
            case "cpu" -> new Network(1, 0.8 * 1.25e9, 0.8 * 1.25e9, 5e-5, 5e-5, "10 Gb/s Ethernet, 80 % assumed");
            default -> new Network(4, 0.8 * 25e9, 0.8 * 3.125e9, 5e-6, 1e-5,
                    "PCI Express 4 and 25 Gb/s Ethernet a GPU, 80 % assumed");
        };
    }

    /** Bytes that each rank sends (and receives) to all-reduce {@code bytes} in a ring: 2 (p - 1) / p times as many. */
    public static long wireBytes(long bytes, int ranks) {
        return Math.ceilDiv(2 * (ranks - 1L) * bytes, ranks);
    }

    /**
     * Predicted time of an all-reduce: what each rank sends, over the slowest link that the ring has, and the latency of a
     * ring within each node and a tree between them (Patarasuk and Yuan 2009; NCCL takes a tree where latency counts).
     */
    public double allReduceSeconds(long bytes, int ranks) {
        int inNode = Math.min(ranks, perNode);
        int nodes = Math.ceilDiv(ranks, perNode);
        double latency = 2 * (inNode - 1) * innerLatency
                + 2 * Math.ceil(Math.log(nodes) / Math.log(2)) * outerLatency;
        return latency + wireBytes(bytes, ranks) / (nodes > 1 ? Math.min(inner, outer) : inner);
    }
}
