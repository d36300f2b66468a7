package io.firn.backend.cuda;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** What lies between simulated GPUs, in the place of NCCL: groups of ranks, and what each has given to an exchange. */
public final class SimulatedWire {
    private final Map<Long, Group> groups = new HashMap<>();

    /** What the ranks that joined by one id exchange. */
    static final class Group {
        private final Set<Integer> joined = new HashSet<>();
        private final Set<Integer> finished = new HashSet<>();
        private final Map<Long, Map<Integer, List<float[]>>> exchanges = new HashMap<>();
        private int ranks;
        private String failure = "";

        synchronized boolean areAllJoined() {
            return joined.size() == ranks;
        }

        synchronized void finish(int rank) {
            finished.add(rank);
        }

        synchronized boolean areAllFinished() {
            return finished.size() == ranks;
        }

        synchronized String failure() {
            return failure;
        }

        synchronized void give(long exchange, int rank, List<float[]> parts) {
            exchanges.computeIfAbsent(exchange, _ -> new TreeMap<>()).put(rank, parts);
        }

        synchronized boolean isComplete(long exchange) {
            return exchanges.getOrDefault(exchange, Map.of()).size() == ranks;
        }

        /** Sums over the ranks, or means, always added up in the same order. */
        synchronized List<float[]> take(long exchange, boolean mean) {
            List<float[]> sums = new ArrayList<>();
            for (List<float[]> parts : exchanges.get(exchange).values()) {
                for (int p = 0; p < parts.size(); p++) {
                    if (sums.size() == p) {
                        sums.add(new float[parts.get(p).length]);
                    }
                    if (sums.get(p).length != parts.get(p).length) {
                        throw new IllegalStateException("ranks exchange different things");
                    }
                    for (int i = 0; i < sums.get(p).length; i++) {
                        sums.get(p)[i] += parts.get(p)[i];
                    }
                }
            }
            if (mean) {
                for (float[] sum : sums) {
                    for (int i = 0; i < sum.length; i++) {
                        sum[i] /= ranks;
                    }
                }
            }
            return sums;
        }
    }

    synchronized byte[] id() {
        long id = groups.size() + 1;
        groups.put(id, new Group());
        return ByteBuffer.allocate(Nccl.ID_BYTES).putLong(id).array();
    }

    synchronized Group join(byte[] id, int rank, int ranks) {
        Group g = groups.get(ByteBuffer.wrap(id).getLong());
        if (g == null || rank < 0 || rank >= ranks) {
            throw new IllegalStateException("rank %d of %d joins what is not there".formatted(rank, ranks));
        }
        synchronized (g) {
            if (!g.joined.add(rank)) {
                throw new IllegalStateException("two ranks are " + rank);
            }
            g.ranks = ranks;
        }
        return g;
    }

    /** From now on NCCL says so to all ranks. */
    synchronized void fail(String words) {
        groups.values().forEach(g -> {
            synchronized (g) {
                g.failure = words;
            }
        });
    }
}
