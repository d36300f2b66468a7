package io.firn.train;

import io.firn.backend.HostMemory;
import io.firn.data.Dataset;
import io.firn.data.ImageCache;
import io.firn.error.UserError;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The sets that a training reads, behind a cache of decoded images where {@code --image-cache} asks for one. */
record CachedImages(Dataset train, Optional<Dataset> validation, List<ImageCache> caches) implements AutoCloseable {

    /**
     * Divides the room by the number of images. Sets that are in memory anyway are left as they are.
     *
     * @throws UserError where there is no such room
     */
    static CachedImages of(Setup setup) {
        DataOptions options = setup.options().data();
        long bytes = options.cacheBytes();
        List<ImageCache> caches = new ArrayList<>();
        if (bytes == 0 || setup.train().uniformSize().isPresent()) {
            return new CachedImages(setup.train(), setup.validation(), caches);
        }
        if (options.imageCacheFolder() == null && bytes > HostMemory.available()) {
            throw UserError.memory("--image-cache %s: %.1f GB of memory are free; give less, or a folder on a disk by "
                    + "--image-cache-folder", options.imageCache(), HostMemory.available() / 1e9);
        }
        long images = (long) setup.train().size() + setup.validation().map(Dataset::size).orElse(0);
        try {
            Dataset train = cached(setup.train(), options, bytes, images, caches);
            return new CachedImages(train, setup.validation().map(v -> cached(v, options, bytes, images, caches)), caches);
        } catch (RuntimeException | Error e) {
            caches.forEach(ImageCache::close);
            throw e;
        }
    }

    private static Dataset cached(Dataset set, DataOptions options, long bytes, long images, List<ImageCache> caches) {
        ImageCache cache = new ImageCache(set, options.resizePixels(), (long) ((double) bytes * set.size() / images),
                Optional.ofNullable(options.imageCacheFolder()).map(Path::of));
        caches.add(cache);
        return cache;
    }

    @Override
    public void close() {
        caches.forEach(ImageCache::close);
    }
}
