package io.firn.backend.cuda.kernels;

import io.firn.graph.Node;
import io.firn.graph.Value;
import io.firn.plan.Subgraph;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The second kernel of a launch with sums ({@code finish.cu}): adds up what the first one's blocks have left in the
 * workspace, and computes the vectors that follow. Two stages in a fixed order, since atomic adds would differ from run to
 * run. Also the only kernel of a launch that computes nothing but vectors.
 */
final class Finish {
    private static final int COLUMNS = 32;
    private static final int MOST_ROWS = 16;

    private final Subgraph subgraph;
    private final CallBuilder call;
    private final Map<Value, String> known = new HashMap<>();
    private final Set<Value> stored = new HashSet<>();
    private final StringBuilder add = new StringBuilder();
    private final StringBuilder compute = new StringBuilder();
    private int sums;

    private Finish(Subgraph subgraph) {
        this.subgraph = subgraph;
        call = new CallBuilder("finish", subgraph);
    }

    /** Where a sum's rows lie in the workspace, [rows, columns] in f32. */
    record Partial(Body.Sum sum, long offset, int rows, int columns) {
        long bytes() {
            return 4L * rows * columns;
        }
    }

    /** Finishes sums of one form, by channel or by sample and channel; vector ops belong to those by channel. */
    static KernelCall of(Subgraph s, List<Partial> partials, List<Node> vectorOps, int columns) {
        Finish f = new Finish(s);
        int rows = partials.isEmpty() ? 0 : partials.getFirst().rows();
        f.call.integer("columns", columns).integer("rows", rows);
        partials.forEach(f::sum);
        vectorOps.forEach(f::vectors);
        return f.build(rows, columns);
    }

    /** Adds up rows at the workspace's start, as they are, to an output of as many elements as there are columns. */
    static KernelCall plain(Subgraph s, Value output, int rows, int columns) {
        Finish f = new Finish(s);
        f.call.integer("columns", columns).integer("rows", rows);
        f.addRows(0);
        f.compute.append("%s[c] = total[0][0];\n".formatted(f.call.output(output)));
        return f.build(rows, columns);
    }

    private KernelCall build(int rows, int columns) {
        int height = Math.clamp(Math.ceilDiv(rows, 4), 1, MOST_ROWS);
        return call.constant("SUMS", sums).part("add", add.toString()).part("compute", compute.toString())
                .build(new KernelCall.Grid(Math.ceilDiv(columns, COLUMNS), 1, 1, COLUMNS, height, 4 * COLUMNS * height));
    }

    private void addRows(long offset) {
        String from = call.pointer("const float", "sums" + sums, new Operand.Workspace(offset));
        add.append("sum[%d] += %s[(long long) row * a.columns + c];\n".formatted(sums, from));
        sums++;
    }

    private void sum(Partial p) {
        addRows(p.offset);
        String name = call.name(p.sum.value());
        compute.append("const float %s = %s;\n".formatted(name,
                VectorOps.finished(p.sum, "total[%d][0]".formatted(sums - 1), this::vector, call)));
        known.put(p.sum.value(), name);
        store(p.sum.value());
    }

    private void vectors(Node n) {
        List<String> in = new ArrayList<>(n.inputs().stream().map(this::vector).toList());
        List<String> out = n.outputs().stream().map(call::name).toList();
        compute.append("float %s;\n{\n".formatted(String.join(", ", out)));
        compute.append(VectorOps.of(n, in, out, call)).append("}\n");
        n.outputs().forEach(v -> known.put(v, call.name(v)));
        n.outputs().forEach(this::store);
    }

    private String vector(Value v) {
        return known.computeIfAbsent(v, k -> {
            String name = call.name(v);
            compute.append("const float %s = %s[c];\n".formatted(name, call.input(v)));
            return name;
        });
    }

    private void store(Value v) {
        if (subgraph.outputs().contains(v) && stored.add(v)) {
            compute.append("%s[c] = %s;\n".formatted(call.output(v), call.name(v)));
        }
    }
}
