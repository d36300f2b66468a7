package io.firn.plan;

import io.firn.graph.Op;
import io.firn.graph.Slicing;
import io.firn.graph.State;
import io.firn.graph.Value;
import java.util.Collections;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.ToLongFunction;
import java.util.stream.Stream;

/**
 * Checks a finished plan by what its launches read and write, byte range by byte range: every operand holds the value that
 * it should where the launch looks for it, nothing lies outside its arena, and no workspace touches what is still needed.
 */
final class VerifyPass {
    private final Plan plan;
    /** What each value's buffer holds now; a write to an overlapping range ends the older value. */
    private final Map<Value, Buffer> alive = new HashMap<>();
    /** The same by arena and offset. No two overlap. */
    private final Map<Buffer.Arena, NavigableMap<Long, Value>> places = Map.of(Buffer.Arena.STATE, new TreeMap<>(),
            Buffer.Arena.SCRATCH, new TreeMap<>());
    private final Set<Buffer> states = new HashSet<>();

    private VerifyPass(Plan plan) {
        this.plan = plan;
    }

    static void run(Plan plan) {
        new VerifyPass(plan).verify();
    }

    private void verify() {
        Map<String, Buffer> named = new HashMap<>();
        for (State s : plan.graph().states()) {
            Buffer b = plan.buffers().get(s.value());
            named.put(s.name(), b);
            Op.check(end(b.arena(), b.offset(), b.end()), "%s shares its place with another state", s.name());
            put(s.value(), b);
            states.add(b);
        }
        plan.graph().inputs().forEach(v -> put(v, plan.buffers().get(v)));
        plan.prepare().forEach(this::check);
        Set<Value> prepared = new HashSet<>();
        plan.prepare().forEach(l -> prepared.addAll(l.subgraph().outputs()));
        Set<Value> again = new HashSet<>(plan.graph().inputs());
        plan.launches().forEach(l -> l.subgraph().inputs().stream().filter(prepared::contains).forEach(again::add));
        plan.launches().forEach(this::check);
        checkStreams();
        plan.graph().outputs().forEach((name, v) -> Op.check(plan.buffers().get(v).equals(alive.get(v)),
                "output %s is overwritten", name));
        plan.graph().updates().forEach((name, v) -> Op.check(alive.containsKey(v) && alive.get(v).equals(named.get(name)),
                "the new %s is not in its place", name));
        again.forEach(v -> Op.check(alive.containsKey(v), "%s is overwritten, and the next step reads it", v));
    }

    private void check(Launch l) {
        if (l.workspace() > 0) {
            Op.check(l.workspaceOffset() >= 0 && l.workspaceOffset() + l.workspace() <= plan.scratch(),
                    "the workspace of %s leaves the scratch arena", l.name());
            end(Buffer.Arena.SCRATCH, l.workspaceOffset(), l.workspaceOffset() + l.workspace());
        }
        List<Value> in = l.subgraph().inputs();
        for (int i = 0; i < in.size(); i++) {
            Buffer holds = alive.get(in.get(i));
            Op.check(holds != null, "%s reads %s, which is overwritten or was never written", l.name(), in.get(i));
            Op.check(holds.equals(l.inputs().get(i)), "%s reads %s from %s, but it lies at %s", l.name(), in.get(i),
                    l.inputs().get(i), holds);
        }
        Map<Buffer.Arena, NavigableMap<Long, Buffer>> written = new EnumMap<>(Buffer.Arena.class);
        for (Buffer out : l.outputs()) {
            inArena(l, out);
            Op.check(l.workspace() == 0 || out.arena() != Buffer.Arena.SCRATCH
                    || out.end() <= l.workspaceOffset() || l.workspaceOffset() + l.workspace() <= out.offset(),
                    "the workspace of %s overlaps a result", l.name());
            NavigableMap<Long, Buffer> others = written.computeIfAbsent(out.arena(), _ -> new TreeMap<>());
            Op.check(within(others, Buffer::end, out.offset(), out.end()).isEmpty(), "two results of %s overlap", l.name());
            others.put(out.offset(), out);
        }
        for (Buffer operand : l.subgraph().nodes().getFirst().op() instanceof Slicing.Cat ? joined(l) : l.inputs()) {
            for (Buffer out : within(written.getOrDefault(operand.arena(), Collections.emptyNavigableMap()), Buffer::end,
                    operand.offset(), operand.end()).values()) {
                Op.check(operand.offset() == out.offset() && operand.bytes() == out.bytes(),
                        "a result of %s overlaps an operand in part", l.name());
            }
        }
        for (int i = 0; i < l.outputs().size(); i++) {
            put(l.subgraph().outputs().get(i), l.outputs().get(i));
        }
    }

    /** Operands to be checked like others: none, where each lies in the result where it belongs. */
    private static List<Buffer> joined(Launch l) {
        Buffer out = l.outputs().getFirst();
        long at = out.offset();
        for (Buffer in : l.inputs()) {
            Op.check(in.arena() == out.arena() && in.layout().equals(out.layout()) && in.offset() == at,
                    "%s lies at %s, which is not its place in %s", l.name(), in, out);
            at = in.end();
        }
        Op.check(at == out.end(), "what %s joins is not all of %s", l.name(), out);
        return List.of();
    }

    /** While a collective may be under way, no other launch writes what it reads or touches what it writes. */
    private void checkStreams() {
        List<Launch> all = plan.launches();
        int[] joins = Streams.joins(all.stream().map(Launch::subgraph).toList());
        for (int i = 0; i < joins.length; i++) {
            Launch c = all.get(i);
            if (c.stream() != Streams.COLLECTIVES) {
                continue;
            }
            for (Launch l : all.subList(i + 1, joins[i])) {
                for (Buffer b : c.outputs()) {
                    Op.check(l.inputs().stream().noneMatch(in -> overlap(in, b)), "%s reads what %s still writes",
                            l.name(), c.name());
                }
                for (Buffer b : Stream.concat(c.inputs().stream(), c.outputs().stream()).toList()) {
                    Op.check(l.outputs().stream().noneMatch(out -> overlap(out, b)) && !inWorkspace(l, b),
                            "%s writes over what %s still uses", l.name(), c.name());
                }
            }
        }
    }

    private static boolean inWorkspace(Launch l, Buffer b) {
        return l.workspace() > 0 && b.arena() == Buffer.Arena.SCRATCH && b.offset() < l.workspaceOffset() + l.workspace()
                && l.workspaceOffset() < b.end();
    }

    private void inArena(Launch l, Buffer b) {
        boolean inside = switch (b.arena()) {
            case SCRATCH -> b.offset() >= 0 && b.end() <= plan.scratch();
            case STATE -> states.contains(b);
        };
        Op.check(inside, "%s writes to %s, which is %s", l.name(), b,
                b.arena() == Buffer.Arena.STATE ? "no state's place" : "outside the scratch arena");
    }

    private void put(Value v, Buffer b) {
        end(b.arena(), b.offset(), b.end());
        Buffer before = alive.put(v, b);
        Op.check(before == null, "%s is written twice", v);
        places.get(b.arena()).put(b.offset(), v);
    }

    /** Ends the values that lie in this range; whether there were none. */
    private boolean end(Buffer.Arena arena, long from, long to) {
        NavigableMap<Long, Value> ended = within(places.get(arena), v -> alive.get(v).end(), from, to);
        boolean none = ended.isEmpty();
        ended.values().forEach(alive::remove);
        ended.clear();
        return none;
    }

    /** What lies in a range, of what lies by its offset where nothing overlaps: a view. */
    private static <T> NavigableMap<Long, T> within(NavigableMap<Long, T> map, ToLongFunction<T> end, long from, long to) {
        Map.Entry<Long, T> before = map.lowerEntry(from);
        boolean spans = before != null && end.applyAsLong(before.getValue()) > from;
        return map.subMap(spans ? before.getKey() : from, true, to, false);
    }

    private static boolean overlap(Buffer a, Buffer b) {
        return a.arena() == b.arena() && a.offset() < b.end() && b.offset() < a.end();
    }
}
