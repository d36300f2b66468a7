package io.firn.plan;

import io.firn.graph.Collective;
import io.firn.graph.Node;
import io.firn.graph.Value;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What of a step runs beside what. Launches on one stream run in order. A collective, on a stream of its own, begins once
 * all launches before it are done; a launch that reads its result waits for it, and so does the end of the step.
 *
 * <pre>
 * compute      wgrad4  dgrad4  wgrad3  dgrad3  wgrad2 …           update (waits)
 * collectives          [bucket 1     ] [bucket 2     ] [bucket 3]
 * </pre>
 */
public final class Streams {
    public static final int COMPUTE = 0;
    public static final int COLLECTIVES = 1;

    private Streams() {
    }

    /** The stream of a launch. */
    static int of(Subgraph s) {
        return isCollective(s) ? COLLECTIVES : COMPUTE;
    }

    static boolean isCollective(Subgraph s) {
        return s.nodes().stream().map(Node::op).allMatch(Collective.class::isInstance);
    }

    /**
     * For each launch, the number of the last one on the other stream that must be done before it begins, which those before
     * it on that stream then are as well; -1 where there is none.
     */
    public static int[] waits(List<Launch> launches) {
        Map<Value, Integer> collected = new HashMap<>();
        int[] waits = new int[launches.size()];
        int computed = -1;
        for (int i = 0; i < waits.length; i++) {
            Launch l = launches.get(i);
            if (l.stream() == COLLECTIVES) {
                waits[i] = computed;
                for (Value v : l.subgraph().outputs()) {
                    collected.put(v, i);
                }
            } else {
                waits[i] = l.subgraph().inputs().stream().mapToInt(v -> collected.getOrDefault(v, -1)).max().orElse(-1);
                computed = i;
            }
        }
        return waits;
    }

    /** For each launch on the stream of collectives, the number of the first one that waits for it, or of launches. */
    static int[] joins(List<Subgraph> launches) {
        int[] joins = new int[launches.size()];
        Arrays.fill(joins, launches.size());
        Map<Value, Integer> collected = new HashMap<>();
        for (int i = 0; i < joins.length; i++) {
            if (of(launches.get(i)) == COLLECTIVES) {
                for (Value v : launches.get(i).outputs()) {
                    collected.put(v, i);
                }
                continue;
            }
            for (Value v : launches.get(i).inputs()) {
                // Whoever waits for one has waited for those before it.
                for (int c = collected.getOrDefault(v, -1); c >= 0; c--) {
                    joins[c] = Math.min(joins[c], i);
                }
            }
        }
        return joins;
    }

    /** Predicted milliseconds of a step in which the streams overlap as they may. */
    static double milliseconds(List<Launch> launches) {
        int[] waits = waits(launches);
        double[] end = new double[waits.length];
        double[] free = new double[2];
        for (int i = 0; i < waits.length; i++) {
            Launch l = launches.get(i);
            double begin = Math.max(free[l.stream()], waits[i] < 0 ? 0 : end[waits[i]]);
            end[i] = begin + l.predictedMs();
            free[l.stream()] = end[i];
        }
        return Math.max(free[COMPUTE], free[COLLECTIVES]);
    }
}
