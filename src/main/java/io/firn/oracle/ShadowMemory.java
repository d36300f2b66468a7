package io.firn.oracle;

import io.firn.plan.Buffer;
import java.util.EnumMap;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.function.Predicate;

/**
 * Arenas whose every byte knows which launch wrote it and as part of what. A launch writes each element of its results,
 * padding included, so ranges stand for their elements: a write takes what it covers away from older ranges, and a read
 * fails where any byte is missing or is something else's.
 */
final class ShadowMemory implements PlanMemory {
    private final Map<Buffer.Arena, Long> sizes = new EnumMap<>(Buffer.Arena.class);
    private final Map<Buffer.Arena, NavigableMap<Long, Range>> ranges = new EnumMap<>(Buffer.Arena.class);

    /**
     * One write.
     *
     * @param content null where it was a workspace
     * @param buffer  null where it was a workspace
     * @param placed  elements in the order of memory, in double precision
     */
    private record Written(String by, Content content, Buffer buffer, double[] placed, boolean stale) {

        Written aged() {
            return new Written(by, content, buffer, placed, true);
        }

        Written as(Content other) {
            return new Written(by, other, buffer, placed, stale);
        }

        boolean is(Content wanted) {
            return wanted.equals(content) && !stale;
        }

        @Override
        public String toString() {
            return content == null ? by + " used it as its workspace"
                    : "%s wrote %s there%s".formatted(by, content, stale ? " in an earlier step" : "");
        }
    }

    /** What is left of a write: from its key in the map to {@code end}. */
    private record Range(long end, Written written) {
    }

    ShadowMemory(long stateBytes, long scratchBytes) {
        sizes.put(Buffer.Arena.STATE, stateBytes);
        sizes.put(Buffer.Arena.SCRATCH, scratchBytes);
        for (Buffer.Arena a : Buffer.Arena.values()) {
            ranges.put(a, new TreeMap<>());
        }
    }

    @Override
    public void write(String by, Content content, Buffer to, double[] data) {
        double[] placed = PlanElements.store(to.layout(), to.type(), data);
        put(to.arena(), to.offset(), to.end(), new Written(by, content, to, placed, false));
    }

    @Override
    public double[] read(String by, Content content, Buffer from) {
        Written written = find(by, content, from);
        if (!written.buffer.equals(from)) {
            throw new IllegalStateException("%s reads %s from %s, but it was written to %s".formatted(by, content, from,
                    written.buffer));
        }
        return PlanElements.load(from.layout(), from.type(), written.placed);
    }

    @Override
    public void poison(String by, long offset, long bytes) {
        put(Buffer.Arena.SCRATCH, offset, offset + bytes, new Written(by, null, null, null, false));
    }

    @Override
    public void expire(Predicate<Content> lasting) {
        ranges.get(Buffer.Arena.SCRATCH).replaceAll((at, r) -> r.written.content != null
                && lasting.test(r.written.content) ? r : new Range(r.end, r.written.aged()));
    }

    @Override
    public void rename(Buffer where, Content before, Content after) {
        Written w = find("the end of the step", before, where);
        put(where.arena(), where.offset(), where.end(), w.as(after));
    }

    /** The write that the whole range still holds. */
    private Written find(String by, Content content, Buffer b) {
        NavigableMap<Long, Range> map = ranges.get(b.arena());
        Written found = null;
        for (long at = b.offset(); at < b.end(); ) {
            Map.Entry<Long, Range> e = map.floorEntry(at);
            boolean empty = e == null || e.getValue().end <= at;
            if (empty || !e.getValue().written.is(content)) {
                throw new IllegalStateException("%s reads %s at byte %d of the %s arena (%d bytes after its start), but %s"
                        .formatted(by, content, at, b.arena().name().toLowerCase(), at - b.offset(),
                                empty ? "nothing was ever written there" : e.getValue().written));
            }
            found = e.getValue().written;
            at = e.getValue().end;
        }
        return found;
    }

    private void put(Buffer.Arena arena, long from, long to, Written written) {
        if (from < 0 || to > sizes.get(arena)) {
            throw new IllegalStateException("%s writes bytes %d to %d of the %s arena, which has %d".formatted(written.by,
                    from, to, arena.name().toLowerCase(), sizes.get(arena)));
        }
        NavigableMap<Long, Range> map = ranges.get(arena);
        split(map, from);
        split(map, to);
        map.subMap(from, true, to, false).clear();
        map.put(from, new Range(to, written));
    }

    /** Makes a range that spans {@code at} two ranges, so that one begins there. */
    private static void split(NavigableMap<Long, Range> map, long at) {
        Map.Entry<Long, Range> e = map.lowerEntry(at);
        if (e != null && e.getValue().end > at) {
            map.put(e.getKey(), new Range(at, e.getValue().written));
            map.put(at, e.getValue());
        }
    }
}
