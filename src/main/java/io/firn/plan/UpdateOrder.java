package io.firn.plan;

import io.firn.graph.Update;
import io.firn.graph.Value;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Moves launches of the optimizer from the end of a step to where their gradients are complete and nothing reads the old
 * weights any more, so that a gradient's memory is free for those of the layers below.
 *
 * <pre>
 * wgrad4 dgrad4 wgrad3 dgrad3 … update   →   wgrad4 dgrad4 update4 wgrad3 dgrad3 update3 …
 * </pre>
 */
final class UpdateOrder {
    private UpdateOrder() {
    }

    /** The same parts; as they are where ranks exchange gradients, which travel while those below are computed. */
    static Partition run(Partition p) {
        if (p.parts().stream().anyMatch(part -> Streams.isCollective(part.subgraph()))) {
            return p;
        }
        List<Partition.Part> others = p.parts().stream().filter(part -> !isUpdate(part)).toList();
        // The last part that makes or reads each value.
        Map<Value, Integer> last = new HashMap<>();
        for (int i = 0; i < others.size(); i++) {
            for (Value v : others.get(i).subgraph().inputs()) {
                last.put(v, i);
            }
            for (Value v : others.get(i).subgraph().outputs()) {
                last.put(v, i);
            }
        }
        TreeMap<Integer, List<Partition.Part>> after = new TreeMap<>();
        for (Partition.Part part : p.parts()) {
            if (isUpdate(part)) {
                int place = part.subgraph().inputs().stream().mapToInt(v -> last.getOrDefault(v, -1)).max().orElse(-1);
                part.subgraph().outputs().forEach(v -> last.put(v, place)); // for averages of them
                after.computeIfAbsent(place, _ -> new ArrayList<>()).add(part);
            }
        }
        List<Partition.Part> ordered = new ArrayList<>(after.getOrDefault(-1, List.of()));
        for (int i = 0; i < others.size(); i++) {
            ordered.add(others.get(i));
            ordered.addAll(after.getOrDefault(i, List.of()));
        }
        return new Partition(p.graph(), ordered);
    }

    private static boolean isUpdate(Partition.Part part) {
        return part.subgraph().nodes().stream().allMatch(n -> n.op() instanceof Update);
    }
}
