package io.firn.plan;

import io.firn.graph.Phase;
import io.firn.graph.Value;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * One call of a library or kernel: what runs, on which buffers, and what it means.
 *
 * @param subgraph        what it computes; inputs and outputs are in the order of the buffers
 * @param workspaceOffset place of its scratch memory in the scratch arena; meaningless where {@code workspace} is 0
 * @param flops           2 x multiply-adds of convolutions and products
 * @param bytes           each operand once, and each result; on a GPU its workspace too, written and read
 * @param reason          why it computes what it does and no more, where that was a choice; else empty
 */
public record Launch(String name, Phase phase, int stream, Kernel kernel, Subgraph subgraph, List<Buffer> inputs,
                     List<Buffer> outputs, long workspace, long workspaceOffset, long flops, long bytes,
                     double predictedMs, String reason) {

    public Launch {
        inputs = List.copyOf(inputs);
        outputs = List.copyOf(outputs);
    }

    /** How each operand and each result lies. */
    public Map<Value, Layout> layouts() {
        Map<Value, Layout> layouts = new HashMap<>();
        for (int i = 0; i < inputs.size(); i++) {
            layouts.put(subgraph.inputs().get(i), inputs.get(i).layout());
        }
        for (int i = 0; i < outputs.size(); i++) {
            layouts.put(subgraph.outputs().get(i), outputs.get(i).layout());
        }
        return layouts;
    }

    /** The ops that it computes, in order, such as {@code bn_apply+relu}. */
    public String op() {
        return String.join("+", subgraph.nodes().stream().map(n -> n.op().label()).distinct().toList());
    }
}
