package io.firn.backend.cpu;

import io.firn.graph.DType;
import io.firn.graph.Value;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** The operands of a fused launch's loops by number: activations in memory, and strips (f32, in a thread's scratch). */
final class Slots {
    private final Function<Value, Tensor> tensors;
    private final Map<Value, Integer> known = new HashMap<>();
    private final List<Tensor> list = new ArrayList<>();
    private int strips;

    Slots(Function<Value, Tensor> tensors) {
        this.tensors = tensors;
    }

    int of(Value v) {
        return known.computeIfAbsent(v, k -> {
            list.add(tensors.apply(k));
            return list.size() - 1;
        });
    }

    int strip() {
        strips++;
        list.add(null);
        return list.size() - 1;
    }

    int size() {
        return list.size();
    }

    int strips() {
        return strips;
    }

    /** The tensor of a slot, null for a strip. */
    Tensor tensor(int slot) {
        return list.get(slot);
    }

    boolean isStrip(int slot) {
        return list.get(slot) == null;
    }

    boolean bf16(int slot) {
        return !isStrip(slot) && list.get(slot).type().dtype() == DType.BF16;
    }

    /** Whether both are memory and begin at the same place. */
    boolean alias(int a, int b) {
        return a != b && !isStrip(a) && !isStrip(b) && list.get(a).address() == list.get(b).address();
    }

    /** Whether two tensors share memory without being element for element the same. */
    boolean overlapInexactly(int a, int b) {
        Tensor x = list.get(a);
        Tensor y = list.get(b);
        boolean overlap = x.address() < y.address() + y.layout().bytes(y.type())
                && y.address() < x.address() + x.layout().bytes(x.type());
        return overlap && (x.address() != y.address() || !x.type().equals(y.type()));
    }
}
