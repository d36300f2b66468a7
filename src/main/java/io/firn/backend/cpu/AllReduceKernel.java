package io.firn.backend.cpu;

import io.firn.backend.Collectives;
import io.firn.graph.Collective;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** An all-reduce of tensors, where they lie or into others. */
final class AllReduceKernel implements Executable {
    private final List<MemorySegment> from = new ArrayList<>();
    private final List<MemorySegment> to = new ArrayList<>();
    private final Runnable exchange;

    AllReduceKernel(Collective.AllReduce op, List<Tensor> in, List<Tensor> out, Collectives ranks) {
        if (ranks.ranks() != op.ranks()) {
            throw new IllegalArgumentException("a plan for %d ranks on %d".formatted(op.ranks(), ranks.ranks()));
        }
        List<MemorySegment> all = out.stream().map(AllReduceKernel::memory).toList();
        for (int i = 0; i < all.size(); i++) {
            if (in.get(i).address() != out.get(i).address()) {
                from.add(memory(in.get(i)));
                to.add(all.get(i));
            }
        }
        exchange = ranks.allReduce(all, (float) (op.reduction().ofEqual(op.ranks()) / op.ranks()));
    }

    private static MemorySegment memory(Tensor t) {
        return Simd.MEMORY.asSlice(t.address(), t.type().bytes());
    }

    @Override
    public void run() {
        for (int i = 0; i < from.size(); i++) {
            MemorySegment.copy(from.get(i), 0, to.get(i), 0, from.get(i).byteSize());
        }
        exchange.run();
    }
}
