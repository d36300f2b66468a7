package io.firn.backend.cuda.kernels;

import java.util.List;

/**
 * What runs a launch of own kernels.
 *
 * @param calls     in order, each to be done before the next begins
 * @param workspace bytes of scratch memory between them
 */
public record KernelCalls(List<KernelCall> calls, long workspace) {
    public KernelCalls {
        calls = List.copyOf(calls);
    }
}
