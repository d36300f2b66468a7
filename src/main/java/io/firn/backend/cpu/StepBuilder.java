package io.firn.backend.cpu;

import io.firn.backend.cpu.Loop.Function;
import io.firn.backend.cpu.Loop.Kind;
import io.firn.backend.cpu.Loop.Reduce;
import java.util.Arrays;

/** A {@link Step} in the making: operands are added one by one, and stores may still be sent elsewhere. */
final class StepBuilder {
    private final int[] slots = new int[Loop.OPERANDS];
    private final int[] coefficients = new int[Step.COEFFICIENTS];
    private Function function = Function.NONE;
    private Reduce reduce = Reduce.NONE;
    private int reduction = -1;
    private int terms;
    private int saved;
    private boolean tail;

    StepBuilder() {
        Arrays.fill(slots, -1);
    }

    StepBuilder function(Function f, int mask) {
        function = f;
        coefficients[Step.MASK] = mask;
        return this;
    }

    StepBuilder shift(int place) {
        coefficients[Step.S] = place;
        return this;
    }

    StepBuilder term(int slot, int place) {
        coefficients[Step.M + terms] = place;
        slots[terms++] = slot;
        return this;
    }

    StepBuilder savedShift(int place) {
        coefficients[Step.V] = place;
        return this;
    }

    StepBuilder saved(int slot, int place) {
        coefficients[Step.N + saved] = place;
        slots[Loop.SAVED + saved++] = slot;
        return this;
    }

    /** q = e · k₂ + k₃; without e where {@code slot} is -1. */
    StepBuilder extra(int slot, int k2, int k3) {
        slots[Loop.EXTRA] = slot;
        coefficients[Step.K2] = k2;
        coefficients[Step.K3] = k3;
        return this;
    }

    StepBuilder tail(int k1) {
        tail = true;
        coefficients[Step.K1] = k1;
        return this;
    }

    StepBuilder reduce(Reduce kind, int index, int pivot) {
        reduce = kind;
        reduction = index;
        coefficients[Step.PIVOT] = pivot;
        return this;
    }

    StepBuilder store(int operand, int slot) {
        slots[operand] = slot;
        return this;
    }

    int slot(int operand) {
        return slots[operand];
    }

    boolean reads(int slot) {
        for (int i = 0; i < Loop.U; i++) {
            if (slots[i] == slot) {
                return true;
            }
        }
        return false;
    }

    void readInstead(int slot, int other) {
        for (int i = 0; i < Loop.U; i++) {
            slots[i] = slots[i] == slot ? other : slots[i];
        }
    }

    /**
     * @param dense whether activations lie in blocks of 16 channels
     * @param edge  whether some vectors have fewer channels than lanes, and are worked on in strips of f32
     */
    Step build(Slots all, boolean dense, boolean edge) {
        int bf16 = 0;
        for (int i = 0; i < slots.length; i++) {
            bf16 |= slots[i] >= 0 && all.bf16(slots[i]) ? 1 << i : 0;
        }
        boolean shared = saved > 0 && slots[Loop.EXTRA] == slots[Loop.SAVED];
        Kind kind = new Kind(terms, function, saved, slots[Loop.EXTRA] >= 0, shared, tail, reduce, slots[Loop.U] >= 0,
                slots[Loop.W] >= 0, dense, bf16);
        Kind edgeKind = kind.with(true, 0);
        boolean moments = reduce == Reduce.MOMENTS;
        return new Step(Loop.of(kind), edge ? Loop.of(edgeKind) : null, moments ? Loop.of(kind.sumOnly()) : null,
                moments && edge ? Loop.of(edgeKind.sumOnly()) : null, slots, coefficients, reduction);
    }
}
