package io.firn.plan;

import io.firn.graph.Op;
import io.firn.graph.Value;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Checks a finished plan by what its launches read and write, byte range by byte range: every operand holds the value that
 * it should, nothing lies outside its arena, and no workspace overlaps an operand.
 */
final class VerifyPass {
    private VerifyPass() {
    }

    static void run(Plan plan) {
        // What each placed value's buffer holds now; a write to an overlapping range ends the older value.
        Map<Value, Buffer> alive = new HashMap<>();
        plan.graph().inputs().forEach(v -> put(alive, v, plan.buffers().get(v)));
        plan.graph().states().forEach(s -> alive.put(s.value(), plan.buffers().get(s.value())));
        Set<Value> prepared = new HashSet<>();
        for (Launch l : plan.prepare()) {
            check(plan, l, alive);
            prepared.addAll(l.subgraph().outputs());
        }
        for (Launch l : plan.launches()) {
            check(plan, l, alive);
        }
        plan.graph().outputs().forEach((name, v) -> Op.check(alive.containsKey(v), "output %s is overwritten", name));
        plan.graph().updates().forEach((name, v) -> Op.check(alive.containsKey(v)
                && plan.buffers().get(v).equals(plan.buffers().get(plan.graph().state(name).value())),
                "the new %s is not in its place", name));
        prepared.forEach(v -> Op.check(alive.containsKey(v), "%s was prepared and is overwritten", v));
    }

    private static void check(Plan plan, Launch l, Map<Value, Buffer> alive) {
        List<Value> in = l.subgraph().inputs();
        for (int i = 0; i < in.size(); i++) {
            Op.check(alive.containsKey(in.get(i)), "%s reads %s, which is overwritten or was never written", l.name(), in.get(i));
            inArena(plan, l, l.inputs().get(i));
            apart(l, l.inputs().get(i));
        }
        for (int i = 0; i < l.outputs().size(); i++) {
            inArena(plan, l, l.outputs().get(i));
            apart(l, l.outputs().get(i));
            for (int j = 0; j < i; j++) {
                Op.check(!overlap(l.outputs().get(i), l.outputs().get(j)), "two results of %s overlap", l.name());
            }
            for (Buffer operand : l.inputs()) {
                Op.check(!overlap(l.outputs().get(i), operand) || operand.offset() == l.outputs().get(i).offset(),
                        "a result of %s overlaps an operand in part", l.name());
            }
        }
        for (int i = 0; i < l.outputs().size(); i++) {
            put(alive, l.subgraph().outputs().get(i), l.outputs().get(i));
        }
    }

    private static void put(Map<Value, Buffer> alive, Value v, Buffer b) {
        alive.values().removeIf(other -> overlap(other, b));
        alive.put(v, b);
    }

    private static void inArena(Plan plan, Launch l, Buffer b) {
        if (b.arena() == Buffer.Arena.SCRATCH) {
            Op.check(b.offset() >= 0 && b.end() <= plan.scratch(), "%s leaves the scratch arena", l.name());
        }
    }

    private static void apart(Launch l, Buffer b) {
        boolean overlaps = l.workspace() > 0 && b.arena() == Buffer.Arena.SCRATCH
                && b.offset() < l.workspaceOffset() + l.workspace() && l.workspaceOffset() < b.end();
        Op.check(!overlaps, "the workspace of %s overlaps an operand", l.name());
    }

    private static boolean overlap(Buffer a, Buffer b) {
        return a.arena() == b.arena() && a.offset() < b.end() && b.offset() < a.end();
    }
}
