package io.firn.data;

import java.nio.file.Path;

/** Where Firn keeps what it can fetch or measure again: {@code $FIRN_CACHE}, else {@code ~/.cache/firn}. */
public final class CacheFolder {
    private CacheFolder() {
    }

    /** The part of it for things of one kind; it may not exist yet. */
    public static Path of(String kind) {
        String cache = System.getenv("FIRN_CACHE");
        Path base = cache == null || cache.isBlank() ? Path.of(System.getProperty("user.home"), ".cache", "firn")
                : Path.of(cache);
        return base.resolve(kind);
    }
}
