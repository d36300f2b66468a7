package io.firn.plan;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Lays blocks of memory out so that two that live at the same time never overlap: largest first, each at the lowest
 * offset that is free for its whole life (greedy by size, as in Pisarchyk and Lee 2020, arXiv 2001.03288).
 */
final class MemoryPass {
    private MemoryPass() {
    }

    /** A need for memory from launch {@code first} to launch {@code last}, both included. */
    record Block(int first, int last, long bytes) {
        boolean meets(Block other) {
            return first <= other.last && other.first <= last;
        }
    }

    /** Offsets of the blocks, and the bytes that hold them all. */
    record Arrangement(long[] offsets, long bytes) {
    }

    private record Placed(Block block, long offset) {
    }

    static Arrangement arrange(List<Block> blocks) {
        List<Integer> order = new ArrayList<>();
        for (int i = 0; i < blocks.size(); i++) {
            order.add(i);
        }
        order.sort(Comparator.comparing((Integer i) -> -blocks.get(i).bytes).thenComparing(i -> blocks.get(i).first));
        long[] offsets = new long[blocks.size()];
        long total = 0;
        List<Placed> placed = new ArrayList<>();
        for (int i : order) {
            Block b = blocks.get(i);
            long need = Buffer.align(b.bytes);
            long gap = 0;
            // Placed blocks are kept by offset: the first gap that is wide enough is the lowest.
            for (Placed p : placed) {
                if (!p.block.meets(b)) {
                    continue;
                }
                if (p.offset - gap >= need) {
                    break;
                }
                gap = Math.max(gap, p.offset + Buffer.align(p.block.bytes));
            }
            offsets[i] = gap;
            total = Math.max(total, gap + need);
            Placed here = new Placed(b, gap);
            int at = 0;
            while (at < placed.size() && placed.get(at).offset <= gap) {
                at++;
            }
            placed.add(at, here);
        }
        return new Arrangement(offsets, total);
    }

    /** The largest sum of blocks that live at one launch: what no arrangement can go below. */
    static long live(List<Block> blocks) {
        long most = 0;
        for (Block at : blocks) {
            long sum = 0;
            for (Block b : blocks) {
                if (b.first <= at.first && at.first <= b.last) {
                    sum += Buffer.align(b.bytes);
                }
            }
            most = Math.max(most, sum);
        }
        return most;
    }
}
