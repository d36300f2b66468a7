package io.firn.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.error.UserError;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ImageCacheTest {
    private static final int IMAGES = 12;

    @TempDir
    private Path folder;
    private Dataset set;

    @BeforeEach
    void images() {
        for (int i = 0; i < IMAGES; i++) {
            Samples.write(folder.resolve("set/class%d/%02d.png".formatted(i % 2, i)), 20 + i, 40 - i, 9 * i);
        }
        set = Datasets.open(folder.resolve("set").toString()).train();
    }

    /** All pixels of two epochs. */
    private static List<byte[]> epochs(Dataset set, Augment augment, int workers) {
        List<byte[]> batches = new ArrayList<>();
        LoaderOptions options = new LoaderOptions(4, 10, 10, 3, augment, 12, true, 3, workers, true);
        try (Loader loader = new Loader(set, options, e -> {
            throw new AssertionError(e);
        })) {
            for (int epoch = 0; epoch < 2; epoch++) {
                try (Batches open = loader.epoch(epoch, 0)) {
                    while (open.hasNext()) {
                        try (Batch batch = open.next()) {
                            batches.add(batch.images().toArray(java.lang.foreign.ValueLayout.JAVA_BYTE));
                        }
                    }
                }
            }
        }
        return batches;
    }

    @ParameterizedTest
    @ValueSource(longs = {8, 1500, 4000, 1 << 20})
    void pixelsDependNeitherOnTheRoomNorOnTheWorkersNorOnThePlace(long bytes) {
        try (ImageCache small = new ImageCache(set, 12, bytes, Optional.empty());
                ImageCache mapped = new ImageCache(set, 12, bytes, Optional.of(folder));
                ImageCache roomy = new ImageCache(set, 12, 1 << 20, Optional.empty())) {
            List<byte[]> expected = epochs(roomy, Augment.STANDARD, 1);
            assertThat(epochs(small, Augment.STANDARD, 3)).usingElementComparator(java.util.Arrays::compare).isEqualTo(expected);
            assertThat(epochs(mapped, Augment.STANDARD, 2)).usingElementComparator(java.util.Arrays::compare).isEqualTo(expected);
            assertThat(small.bytes()).isLessThanOrEqualTo(bytes);
        }
        assertThat(folder.toFile().list()).containsExactly("set");
    }

    @Test
    void whatIsOnlyResizedAndCutIsTheSameAsWithoutACache() {
        try (ImageCache cache = new ImageCache(set, 12, 1 << 20, Optional.empty())) {
            assertThat(epochs(cache, Augment.FLIP, 2)).usingElementComparator(java.util.Arrays::compare).isEqualTo(epochs(set, Augment.FLIP, 2));
        }
    }

    @Test
    void imagesThatFitAreReadOnce() throws Exception {
        try (ImageCache cache = new ImageCache(set, 12, 1 << 20, Optional.empty())) {
            List<byte[]> first = epochs(cache, Augment.NONE, 2);
            long bytes = cache.bytes();
            assertThat(bytes).isBetween(IMAGES * 12L * 12 * 3, IMAGES * 12L * 30 * 3);
            for (int i = 0; i < set.size(); i++) {
                Files.delete(Path.of(set.describe(i)));
            }
            assertThat(epochs(cache, Augment.NONE, 2)).usingElementComparator(java.util.Arrays::compare).isEqualTo(first);
            assertThat(cache.bytes()).isEqualTo(bytes);
        }
    }

    @Test
    void moreThanThereIsIsAnError() {
        assertThatThrownBy(() -> new ImageCache(set, 12, 1L << 60, Optional.of(folder))).isInstanceOf(UserError.class)
                .hasMessageContaining("--image-cache-folder");
        assertThatThrownBy(() -> new ImageCache(set, 12, 100, Optional.of(folder.resolve("none")))).isInstanceOf(UserError.class)
                .hasMessageContaining("none");
        assertThat(folder.toFile().list()).containsExactly("set");
    }
}
