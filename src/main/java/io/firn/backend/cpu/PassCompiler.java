package io.firn.backend.cpu;

import io.firn.backend.cpu.Loop.Function;
import io.firn.backend.cpu.Loop.Reduce;
import io.firn.graph.Activation;
import io.firn.graph.Drop;
import io.firn.graph.Elementwise;
import io.firn.graph.Gate;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Pooling;
import io.firn.graph.Value;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Turns what one pass has to store and to add up into loops. Chains of linear ops become one {@link Form}; each
 * activation function (or its gradient) becomes a loop, with the linear ops before it in its front and, where its
 * result goes to one place only, those after it in its tail. What several loops need is kept in a strip.
 */
final class PassCompiler {
    /** A partial sum, kept in a strip. */
    private record PartialSum(int slot) {
    }

    private final FusedProgram program;
    private final Slots slots;
    private final Set<Value> stores;
    private final List<Integer> reductions;
    private final Coefficients coefficients = new Coefficients();
    private final List<StepBuilder> steps = new ArrayList<>();
    /** The slot of everything that loops can read by now. */
    private final Map<Object, Integer> located = new HashMap<>();
    /** How many loops or forms want each value that is no input. */
    private final Map<Object, Integer> uses = new HashMap<>();
    private final Set<Integer> reduced = new HashSet<>();

    PassCompiler(FusedProgram program, Slots slots, List<Value> stores, List<Integer> reductions) {
        this.program = program;
        this.slots = slots;
        this.stores = new HashSet<>(stores);
        this.reductions = reductions;
        Set<Object> visited = new HashSet<>();
        stores.forEach(v -> count(v, visited));
        reductions.forEach(r -> operands(r).forEach(v -> count(v, visited)));
        stores.forEach(this::store);
        reductions.forEach(this::reduce);
        separateAliases();
    }

    List<StepBuilder> steps() {
        return steps;
    }

    Coefficients coefficients() {
        return coefficients;
    }

    private List<Value> operands(int reduction) {
        Node n = program.reductions().get(reduction).node;
        return n.inputs().stream().filter(v -> v.shape().rank() == 4).toList();
    }

    // What is wanted, and how often.

    private boolean isNonlinear(Object atom) {
        return atom instanceof Value v && !located.containsKey(v) && !program.isMemory(v) && program.producer(v) != null
                && program.producer(v).op() instanceof Activation;
    }

    private void count(Value v, Set<Object> visited) {
        for (Object atom : form(v).atoms()) {
            uses.merge(atom, 1, Integer::sum);
            if (isNonlinear(atom) && visited.add(atom)) {
                Node n = program.producer((Value) atom);
                count(n.input(0), visited);
                if (n.inputs().size() > 1) {
                    count(savedBy(n), visited);
                }
            }
        }
    }

    /** The sum of located, readable or nonlinear values that {@code v} is. */
    private Form form(Value v) {
        Node n = program.producer(v);
        if (n == null || program.isMemory(v) || located.containsKey(v)) {
            return Form.atom(v);
        }
        return switch (n.op()) {
            case Activation a -> Form.atom(v);
            case Elementwise.Add a -> form(n.input(0)).plus(form(n.input(1)));
            case Normalization.Apply a -> {
                Form scaled = form(n.input(0)).times(channel(n, 1));
                yield n.inputs().size() > 2 ? scaled.plus(channel(n, 2)) : scaled;
            }
            case Gate.Scale g -> form(n.input(0)).times(new Vec.Row(program.tensor(n.input(1))));
            case Pooling.GlobalAverageGrad g -> Form.constant(new Vec.Row(program.tensor(n.input(0)))
                    .times(Vec.of(1.0 / v.shape().area())));
            case Drop.DropPath d -> form(n.input(0)).times(new Vec.Survival(program.drop(n)));
            case Normalization.GradApply(long count) -> {
                // dx = k (dy - db/count - (x - mean) · t), where k = weight · invstd and t = invstd · dw / count
                Vec k = channel(n, 2).times(channel(n, 4));
                Vec t = channel(n, 4).times(channel(n, 5)).times(Vec.of(1.0 / count));
                Vec rest = channel(n, 3).times(t).plus(channel(n, 6).times(Vec.of(-1.0 / count)));
                yield form(n.input(0)).times(k).plus(form(n.input(1)).times(k.times(t).negated())).plus(k.times(rest));
            }
            default -> throw new IllegalArgumentException("not fusible: " + n);
        };
    }

    private Vec channel(Node n, int operand) {
        return new Vec.Channel(program.tensor(n.input(operand)));
    }

    /** What a gradient's sign or derivative is taken from; ReLU's from its argument, if that saves computing it. */
    private Value savedBy(Node gradient) {
        Value saved = gradient.input(1);
        boolean recomputed = ((Activation) gradient.op()).kind() == Activation.Kind.RELU && isNonlinear(saved)
                && program.producer(saved).op().equals(new Activation.Forward(Activation.Kind.RELU));
        return recomputed ? program.producer(saved).input(0) : saved;
    }

    // Loops.

    private void store(Value v) {
        if (located.containsKey(v)) {
            return;
        }
        Form form = form(v);
        if (form.atoms().equals(List.of(v))) {
            nonlinear(v, null, null, -1);
            return;
        }
        Object last = tailOf(form);
        if (last != null) {
            nonlinear((Value) last, form, v, slots.of(v));
        } else {
            StepBuilder step = linear(form, 3);
            step.store(Loop.U, slots.of(v));
            attachAny(step, v);
            steps.add(step);
        }
        located.put(v, slots.of(v));
    }

    /** The one nonlinear value of a form whose loop can compute the whole form; null where there is none. */
    private Object tailOf(Form form) {
        List<Object> pending = form.atoms().stream().filter(this::isNonlinear).toList();
        if (pending.size() != 1 || form.terms().size() > 2) {
            return null;
        }
        Value v = (Value) pending.getFirst();
        return uses.getOrDefault(v, 0) == 1 && !stores.contains(v) ? v : null;
    }

    private void reduce(int r) {
        if (reduced.contains(r)) {
            return;
        }
        List<Value> in = operands(r);
        Value u = in.getFirst();
        boolean swap = in.size() == 2 && program.reductions().get(r).perSample && isNonlinear(in.get(1)) && !isNonlinear(u);
        u = swap ? in.get(1) : u;
        if (isNonlinear(u)) {
            nonlinear(u, null, null, -1);
        }
        if (reduced.contains(r)) {
            return;
        }
        Form form = form(u);
        Object last = in.size() == 1 ? tailOf(form) : null;
        if (last != null) {
            nonlinear((Value) last, form, u, -1);
        } else {
            StepBuilder step = linear(form, 3);
            attach(step, r, u);
            steps.add(step);
        }
    }

    /**
     * Emits the loop of an activation function or its gradient.
     *
     * @param tail   the form to compute from it in the same loop, or null
     * @param whole  the value that the tail is
     * @param toSlot where the tail goes, or -1 where it is only added up
     */
    private void nonlinear(Value v, Form tail, Value whole, int toSlot) {
        Node n = program.producer(v);
        Activation op = (Activation) n.op();
        boolean gradient = op instanceof Activation.Grad;
        StepBuilder step = linear(form(n.input(0)), 3);
        step.function(Function.valueOf(op.kind() + (gradient ? "_GRAD" : "")), mask(op));
        if (gradient) {
            Form saved = limited(form(savedBy(n)), 1, 2);
            saved.terms().forEach((atom, factor) -> step.saved(locate(atom), coefficients.place(factor)));
            step.savedShift(coefficients.place(saved.shift()));
        }
        if (tail != null) {
            extra(step, limited(tail.without(v), 0, 1));
            step.tail(coefficients.place(tail.factor(v)));
            step.store(Loop.W, toSlot);
            attachSum(step, whole);
        } else {
            int attached = attachAny(step, v);
            if (stores.contains(v)) {
                step.store(Loop.U, slots.of(v));
                located.put(v, slots.of(v));
            } else if (uses.getOrDefault(v, 0) > attached) {
                located.put(v, slots.strip());
                step.store(Loop.U, located.get(v));
            }
        }
        steps.add(step);
    }

    private int mask(Activation op) {
        boolean needed = op.kind() == Activation.Kind.SIGMOID && op instanceof Activation.Forward;
        return needed ? coefficients.place(new Vec.Valid()) : 0;
    }

    private StepBuilder linear(Form form, int most) {
        Form f = limited(form, 0, most);
        StepBuilder step = new StepBuilder();
        f.terms().forEach((atom, factor) -> step.term(locate(atom), coefficients.place(factor)));
        return step.shift(coefficients.place(f.shift()));
    }

    private void extra(StepBuilder step, Form q) {
        int slot = q.terms().isEmpty() ? -1 : locate(q.atoms().getFirst());
        int k2 = slot < 0 ? 0 : coefficients.place(q.factor(q.atoms().getFirst()));
        step.extra(slot, k2, coefficients.place(q.shift()));
    }

    /** The same form with no more terms than a loop takes, and all of them located. */
    private Form limited(Form form, int least, int most) {
        form.atoms().forEach(this::locate);
        Form f = form;
        while (f.terms().size() > most || f.terms().size() < least) {
            Form part = Form.constant(Vec.ZERO);
            for (Object atom : f.atoms().subList(0, Math.min(3, f.terms().size()))) {
                part = part.plus(Form.atom(atom).times(f.factor(atom)));
                f = f.without(atom);
            }
            PartialSum sum = new PartialSum(slots.strip());
            located.put(sum, sum.slot());
            steps.add(linear(part, 3).store(Loop.U, sum.slot()));
            f = f.plus(Form.atom(sum));
        }
        return f;
    }

    private int locate(Object atom) {
        if (!located.containsKey(atom)) {
            if (isNonlinear(atom)) {
                uses.merge(atom, 1, Integer::sum);
                nonlinear((Value) atom, null, null, -1);
            } else {
                located.put(atom, slots.of((Value) atom));
            }
        }
        return located.get(atom);
    }

    // Sums.

    /** Lets the loop, which computes {@code v}, add up what a reduction wants of it; returns how many it serves. */
    private int attachAny(StepBuilder step, Value v) {
        for (int r : reductions) {
            List<Value> in = operands(r);
            boolean either = program.reductions().get(r).perSample && in.size() == 2 && in.get(1).equals(v);
            if (!reduced.contains(r) && (in.getFirst().equals(v) || either)) {
                Value other = in.size() == 2 ? in.getFirst().equals(v) ? in.get(1) : in.get(0) : null;
                if (other == null || !other.equals(v) && !dependsOn(other, v)) {
                    attach(step, r, v);
                    return 1;
                }
            }
        }
        return 0;
    }

    private boolean dependsOn(Value other, Value v) {
        return form(other).atoms().stream().anyMatch(a -> a.equals(v) || isNonlinear(a));
    }

    private void attachSum(StepBuilder step, Value v) {
        for (int r : reductions) {
            if (!reduced.contains(r) && operands(r).equals(List.of(v))) {
                attach(step, r, v);
                return;
            }
        }
    }

    private void attach(StepBuilder step, int r, Value u) {
        // Taken before its operands are located, which emits loops that look for sums to serve.
        reduced.add(r);
        Reduction reduction = program.reductions().get(r);
        List<Value> in = operands(r);
        if (reduction.kind == Reduce.PRODUCT) {
            Value other = in.getFirst().equals(u) ? in.get(1) : in.getFirst();
            Form q = form(other);
            if (reduction.node.op() instanceof Normalization.GradSums) {
                q = q.plus(channel(reduction.node, 2).negated());
            }
            extra(step, limited(q, 0, 1));
        }
        step.reduce(reduction.kind, r, reduction.kind == Reduce.MOMENTS ? coefficients.variable() : 0);
    }

    // Memory.

    /** Where a loop stores over what a later one reads, it stores to a strip, which is copied at the end. */
    private void separateAliases() {
        List<StepBuilder> copies = new ArrayList<>();
        for (int i = 0; i < steps.size(); i++) {
            for (int operand = Loop.U; operand <= Loop.W; operand++) {
                int to = steps.get(i).slot(operand);
                if (to >= 0 && overwrites(to, i)) {
                    int strip = slots.strip();
                    steps.get(i).store(operand, strip);
                    steps.subList(i + 1, steps.size()).forEach(s -> s.readInstead(to, strip));
                    copies.add(new StepBuilder().term(strip, coefficients.place(Vec.ONE))
                            .shift(coefficients.place(Vec.ZERO)).store(Loop.U, to));
                }
            }
        }
        steps.addAll(copies);
    }

    private boolean overwrites(int to, int step) {
        for (StepBuilder later : steps.subList(step + 1, steps.size())) {
            for (int slot = 0; slot < slots.size(); slot++) {
                if (slots.alias(to, slot) && later.reads(slot)) {
                    return true;
                }
            }
        }
        return false;
    }
}
