package io.firn.backend.cpu;

import io.firn.graph.Type;
import io.firn.plan.Layout;

/** A value at its place in native memory: {@code address} is that of its first byte. The arena owns the memory. */
record Tensor(long address, Type type, Layout layout) {
}
