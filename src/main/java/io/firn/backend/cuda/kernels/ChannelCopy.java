package io.firn.backend.cuda.kernels;

import io.firn.graph.DType;
import io.firn.plan.Subgraph;

/** Copies rows of channels into another element type, or into more or fewer channels ({@code channels.cu}). */
public final class ChannelCopy {
    private static final int THREADS = 256;

    private ChannelCopy() {
    }

    /**
     * A side of a copy.
     *
     * @param at       where the first row lies; aligned to 16 bytes
     * @param channels elements of a row
     */
    public record Side(Operand at, DType type, int channels) {
    }

    /**
     * The copy of so many rows, one after the other on both sides: channels that only {@code to} has are 0 there.
     *
     * @param s what the operands belong to
     */
    public static KernelCall of(Subgraph s, Side from, Side to, long rows) {
        CallBuilder call = new CallBuilder("channels", s).type("From", from.type).type("To", to.type)
                .constant("FROM_C", from.channels).constant("TO_C", to.channels);
        call.pointer("const " + CallBuilder.type(from.type), "from", from.at);
        call.pointer(CallBuilder.type(to.type), "to", to.at);
        int n = Math.toIntExact(rows);
        return call.integer("rows", n).build(KernelCall.Grid.of(Math.ceilDiv(n, THREADS), THREADS));
    }
}
