package io.firn.backend.cuda;

import io.firn.backend.cuda.Device.Pinned;
import io.firn.backend.cuda.Device.Stream;
import java.lang.foreign.MemorySegment;

/** Copies of any size between the device and ordinary host memory, through one piece of pinned memory. */
final class Transfers {
    private static final long PIECE = 4L << 20;

    private final Device device;
    private final Stream stream;
    private final Pinned piece;

    /** @param stream whose work so far a copy comes after */
    Transfers(Device device, Owned owned, Stream stream) {
        this.device = device;
        this.stream = stream;
        piece = owned.add(device.pin(PIECE));
    }

    /** Waits until the copy is done. */
    void read(long from, MemorySegment to) {
        for (long at = 0; at < to.byteSize(); at += PIECE) {
            MemorySegment part = piece.host().asSlice(0, Math.min(PIECE, to.byteSize() - at));
            device.download(part, from + at, stream);
            device.await(stream);
            to.asSlice(at, part.byteSize()).copyFrom(part);
        }
    }

    /** Waits until the copy is done. */
    void write(MemorySegment from, long to) {
        for (long at = 0; at < from.byteSize(); at += PIECE) {
            MemorySegment part = piece.host().asSlice(0, Math.min(PIECE, from.byteSize() - at));
            part.copyFrom(from.asSlice(at, part.byteSize()));
            device.upload(to + at, part, stream);
            device.await(stream);
        }
    }
}
