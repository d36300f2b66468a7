package io.firn.oracle;

import io.firn.graph.Collective;
import io.firn.graph.Op;
import io.firn.graph.Slicing;
import io.firn.graph.State;
import io.firn.graph.Value;
import io.firn.oracle.PlanMemory.Content;
import io.firn.plan.Buffer;
import io.firn.plan.Launch;
import io.firn.plan.Plan;
import io.firn.plan.Program;
import io.firn.plan.Subgraph;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Runs programs as a device would, launch by launch in simulated arenas, computing what each launch means. A wrong
 * lifetime, place or order thus shows on a machine without the device. Optimizer slots begin as they should.
 */
public final class PlanOracle {
    private final Program program;
    private final PlanMemory memory;
    private final Map<String, double[]> outputs = new LinkedHashMap<>();
    private Plan entered;

    /** What a store keeps. */
    public enum Mode {
        /** What the buffer's element type can hold; memory is plain bytes, and nothing is checked. */
        ROUNDING,
        /** All of double precision, with the launch that wrote it: reading anything but what is meant fails. */
        SHADOW
    }

    public PlanOracle(Program program, Mode mode) {
        this.program = program;
        long state = program.state().bytes();
        memory = switch (mode) {
            case ROUNDING -> new PlanBytes(state, program.scratchBytes());
            case SHADOW -> new ShadowMemory(state, program.scratchBytes());
        };
        for (State s : program.state().states().values()) {
            if (s.kind() == State.Kind.OPTIMIZER || s.kind() == State.Kind.GRADIENT) {
                double[] data = new double[Math.toIntExact(s.value().shape().elements())];
                Arrays.fill(data, s.initial());
                state(s.name(), data);
            }
        }
    }

    /** Replaces a state, given in logical row-major order. */
    public void state(String name, double[] data) {
        memory.write("the caller", Content.state(name), place(name), data);
        entered = null;
    }

    /** The state of that name as it is now. */
    public double[] state(String name) {
        return memory.read("the caller", Content.state(name), place(name));
    }

    /** Fills an input of the plan, which is to be stepped next; pixels too are given as [N, C, H, W]. */
    public void input(Plan plan, String name, double[] data) {
        Value v = plan.graph().input(name);
        memory.write("the caller", Content.value(plan.name(), v), plan.buffers().get(v), data);
    }

    /** An output of the last step. */
    public double[] output(String name) {
        double[] data = outputs.get(name);
        Op.check(data != null, "the last step had no output %s", name);
        return data;
    }

    /**
     * Runs one step, and before it what the plan prepares, where another plan was stepped or a state was replaced.
     *
     * @throws IllegalStateException in shadow mode, naming launch, value, place and culprit, where a launch does not
     *                               find what it should
     */
    public void step(Plan plan) {
        step(List.of(this), plan);
    }

    /**
     * Runs one step of several ranks, each of which has its own states and inputs, launch by launch beside each other.
     *
     * @param ranks all over the same program
     */
    public static void step(List<PlanOracle> ranks, Plan plan) {
        ranks.forEach(r -> r.begin(plan));
        for (Launch l : plan.launches()) {
            boolean alone = ranks.size() == 1 || !(l.subgraph().nodes().getFirst().op() instanceof Collective.AllReduce);
            if (alone) {
                ranks.forEach(r -> r.run(plan, l));
            } else {
                reduce(ranks, plan, l);
            }
        }
        ranks.forEach(r -> r.end(plan));
    }

    private static void reduce(List<PlanOracle> ranks, Plan plan, Launch l) {
        var op = (Collective.AllReduce) l.subgraph().nodes().getFirst().op();
        Op.check(op.ranks() == ranks.size(), "%s is for %d ranks, not %d", l.name(), op.ranks(), ranks.size());
        List<double[]> sums = null;
        for (PlanOracle r : ranks) {
            checkInPlace(l);
            List<double[]> in = r.operands(plan, l);
            sums = sums == null ? in.stream().map(double[]::clone).toList() : sums;
            for (int i = 0; r != ranks.getFirst() && i < in.size(); i++) {
                for (int j = 0; j < in.get(i).length; j++) {
                    sums.get(i)[j] += in.get(i)[j];
                }
            }
        }
        double share = op.reduction().ofEqual(ranks.size()) / ranks.size();
        List<double[]> out = sums.stream().map(s -> Arrays.stream(s).map(x -> x * share).toArray()).toList();
        ranks.forEach(r -> r.write(plan, l, out));
    }

    private void begin(Plan plan) {
        Set<Content> lasting = new HashSet<>();
        plan.graph().inputs().forEach(v -> lasting.add(Content.value(plan.name(), v)));
        if (plan != entered) {
            memory.expire(lasting::contains);
            plan.prepare().forEach(l -> run(plan, l));
            entered = plan;
        }
        plan.prepare().forEach(l -> l.subgraph().outputs().forEach(v -> lasting.add(Content.value(plan.name(), v))));
        memory.expire(lasting::contains);
    }

    private void end(Plan plan) {
        outputs.clear();
        plan.graph().outputs().forEach((name, v) -> outputs.put(name,
                memory.read("output " + name, content(plan, v), plan.buffers().get(v))));
        plan.graph().updates().forEach((name, v) -> memory.rename(place(name), content(plan, v), Content.state(name)));
    }

    /**
     * What a launch's subgraph computes, in double precision.
     *
     * @param in elements of its inputs, in logical row-major order
     */
    public static List<double[]> compute(Subgraph s, List<double[]> in) {
        Map<Value, double[]> values = new HashMap<>();
        for (int i = 0; i < in.size(); i++) {
            values.put(s.inputs().get(i), in.get(i));
        }
        GraphOracle.run(s.nodes(), values, GraphOracle.Precision.EXACT);
        return s.outputs().stream().map(values::get).toList();
    }

    private void run(Plan plan, Launch l) {
        checkInPlace(l);
        // Before the operands are read and after the results are written: neither survives under a workspace.
        poison(l);
        write(plan, l, compute(l.subgraph(), operands(plan, l)));
        poison(l);
    }

    private List<double[]> operands(Plan plan, Launch l) {
        List<double[]> in = new ArrayList<>();
        for (int i = 0; i < l.inputs().size(); i++) {
            in.add(memory.read(l.name(), content(plan, l.subgraph().inputs().get(i)), l.inputs().get(i)));
        }
        return in;
    }

    private void write(Plan plan, Launch l, List<double[]> out) {
        for (int i = 0; i < out.size(); i++) {
            memory.write(l.name(), Content.value(plan.name(), l.subgraph().outputs().get(i)), l.outputs().get(i),
                    out.get(i));
        }
    }

    private void poison(Launch l) {
        if (l.workspace() > 0) {
            memory.poison(l.name(), l.workspaceOffset(), l.workspace());
        }
    }

    /** A result may lie exactly where an operand does, but not across it: kernels read on while they write. */
    private static void checkInPlace(Launch l) {
        if (l.subgraph().nodes().getFirst().op() instanceof Slicing.Cat) {
            return; // what it joins lies in its place
        }
        for (Buffer out : l.outputs()) {
            for (Buffer in : l.inputs()) {
                boolean apart = in.arena() != out.arena() || in.end() <= out.offset() || out.end() <= in.offset();
                if (!apart && (in.offset() != out.offset() || in.bytes() != out.bytes())) {
                    throw new IllegalStateException("%s writes %s across its operand %s".formatted(l.name(), out, in));
                }
            }
        }
    }

    /** What a state holds outlives the plan that wrote it, so it has its name alone. */
    private Content content(Plan plan, Value v) {
        boolean state = program.state().states().containsKey(v.name())
                && plan.graph().states().stream().anyMatch(t -> t.value().equals(v));
        return state ? Content.state(v.name()) : Content.value(plan.name(), v);
    }

    private Buffer place(String state) {
        Buffer b = program.state().buffers().get(state);
        Op.check(b != null, "no state is named %s", state);
        return b;
    }
}
