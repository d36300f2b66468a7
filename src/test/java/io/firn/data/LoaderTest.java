package io.firn.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.error.UserError;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The loader: the same batches whatever the workers, resume and ranks; padding, damage and lifetimes. */
@Timeout(20)
class LoaderTest {
    private static LoaderOptions training(int batch, int workers) {
        return new LoaderOptions(batch, 8, 8, 1, Augment.STANDARD, 0, true, 3, workers, true);
    }

    private static LoaderOptions evaluation(int batch, int workers) {
        return new LoaderOptions(batch, 8, 8, 1, Augment.NONE, 0, false, 3, workers, false);
    }

    private static Loader loader(Dataset set, LoaderOptions options) {
        return new Loader(set, options, _ -> { });
    }

    /** A batch copied out of its buffer. */
    private record Copy(int number, List<Integer> indices, List<Integer> labels, int hash, int count) {
        static Copy of(Batch batch) {
            return new Copy(batch.number(), Arrays.stream(batch.indices()).boxed().toList(), Arrays.stream(batch.labels()).boxed().toList(),
                    Arrays.hashCode(batch.images().toArray(ValueLayout.JAVA_BYTE)), batch.count());
        }
    }

    private static List<Copy> run(Loader loader, int epoch, int start) {
        List<Copy> copies = new ArrayList<>();
        try (Batches batches = loader.epoch(epoch, start)) {
            while (batches.hasNext()) {
                try (Batch batch = batches.next()) {
                    copies.add(Copy.of(batch));
                }
            }
        }
        return copies;
    }

    private static List<Integer> indices(List<Copy> copies) {
        return copies.stream().flatMap(copy -> copy.indices.stream()).toList();
    }

    @Test
    void batchesDoNotDependOnTheWorkersNorOnWhereTheEpochWasStarted() {
        Dataset set = new Samples.Fake(103, 5, 50, 77);
        List<Copy> expected;
        try (Loader one = loader(set, training(8, 1))) {
            assertThat(one.batchesPerEpoch()).isEqualTo(12);
            expected = run(one, 2, 0);
            assertThat(run(one, 2, 0)).isEqualTo(expected);
            assertThat(run(one, 3, 0)).isNotEqualTo(expected);
        }
        try (Loader many = loader(set, training(8, 5))) {
            assertThat(run(many, 2, 0)).isEqualTo(expected);
            assertThat(run(many, 2, 7)).isEqualTo(expected.subList(7, 12));
            assertThat(run(many, 2, 12)).isEmpty();
        }
    }

    @Test
    void anEpochHasEachImageAtMostOnce() {
        try (Loader loader = loader(new Samples.Fake(100), training(8, 2))) {
            List<Integer> indices = indices(run(loader, 0, 0));
            assertThat(indices).hasSize(96).doesNotHaveDuplicates();
            assertThat(indices).isNotEqualTo(indices.stream().sorted().toList());
        }
    }

    @Test
    void damagedImagesAreReplacedByTheNextGoodOne() {
        Set<String> told = new ConcurrentSkipListSet<>();
        LoaderOptions inOrder = new LoaderOptions(4, 8, 8, 1, Augment.NONE, 0, false, 3, 3, true);
        try (Loader loader = new Loader(new Samples.Fake(12, 1, 2, 11), inOrder, damaged -> told.add(damaged.getMessage()))) {
            assertThat(indices(run(loader, 0, 0))).containsExactly(0, 3, 3, 3, 4, 5, 6, 7, 8, 9, 10, 0);
            run(loader, 1, 0);
            assertThat(told).containsExactlyInAnyOrder("image 1: on purpose", "image 11: on purpose", "image 2: on purpose");
            assertThat(loader.damagedImages()).isEqualTo(3);
        }
    }

    @Test
    void onlyNothingButDamageIsFatal() {
        Integer[] all = IntStream.range(0, 12).boxed().toArray(Integer[]::new);
        try (Loader loader = loader(new Samples.Fake(12, all), training(4, 2)); Batches batches = loader.epoch(0, 0)) {
            assertThatThrownBy(batches::next).isInstanceOf(UserError.class).hasMessageContaining("all 12 images of fake are damaged");
        }
    }

    @Test
    void evaluationPadsTheLastBatchAndLeavesDamagedSlotsEmpty() {
        try (Loader loader = loader(new Samples.Fake(10, 5), evaluation(4, 2))) {
            // A second round, so that buffers hold something else before.
            run(loader, 0, 0);
            try (Batches batches = loader.epoch(0, 0)) {
                batches.next().close();
                try (Batch second = batches.next()) {
                    assertThat(second.indices()).containsExactly(4, -1, 6, 7);
                    assertThat(second.labels()).containsExactly(0, -1, 0, 1);
                    assertThat(second.count()).isEqualTo(4);
                    assertThat(second.images().asSlice(64, 64).toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
                    assertThat(second.images().asSlice(128, 64).toArray(ValueLayout.JAVA_BYTE)).containsOnly(6);
                }
                try (Batch last = batches.next()) {
                    assertThat(last.count()).isEqualTo(2);
                    assertThat(last.indices()).containsExactly(8, 9, -1, -1);
                    assertThat(last.labels()).containsExactly(0, 1, -1, -1);
                    assertThat(last.images().asSlice(128).toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
                }
                assertThat(batches.hasNext()).isFalse();
            }
        }
    }

    @Test
    void ranksTogetherSeeTheBatchesOfOneProcess() {
        Dataset set = new Samples.Fake(50, 7);
        List<Integer> whole;
        try (Loader loader = loader(set, training(8, 2))) {
            whole = indices(run(loader, 1, 0));
        }
        List<List<Copy>> byRank = IntStream.range(0, 2).mapToObj(rank -> {
            LoaderOptions o = training(4, 2);
            LoaderOptions options = new LoaderOptions(4, 8, 8, 1, o.augment(), 0, true, o.seed(), 2, true, rank, 2);
            try (Loader loader = loader(set, options)) {
                return run(loader, 1, 0);
            }
        }).toList();
        List<Integer> joined = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            joined.addAll(byRank.get(0).get(i).indices);
            joined.addAll(byRank.get(1).get(i).indices);
        }
        assertThat(joined).isEqualTo(whole);
    }

    @Test
    void buffersAreLentAndComeBack() {
        try (Loader loader = loader(new Samples.Fake(200), training(4, 2))) {
            int buffers = loader.buffers().size();
            List<Batch> held = new ArrayList<>();
            try (Batches batches = loader.epoch(0, 0)) {
                assertThatThrownBy(() -> loader.epoch(1, 0)).isInstanceOf(IllegalStateException.class);
                for (int i = 0; i < buffers; i++) {
                    held.add(batches.next());
                }
                assertThatThrownBy(batches::next).isInstanceOf(IllegalStateException.class).hasMessageContaining("lent out");
                Batch first = held.removeFirst();
                first.close();
                Batch next = batches.next();
                first.close();
                assertThat(next.indices()).hasSize(4);
                assertThatThrownBy(first::images).isInstanceOf(IllegalStateException.class);
                assertThatThrownBy(batches::next).isInstanceOf(IllegalStateException.class);
                held.add(next);
            }
            try (Batches batches = loader.epoch(1, 0)) {
                held.forEach(Batch::close);
                assertThat(batches.next().epoch()).isEqualTo(1);
            }
        }
    }

    @Test
    void memoryEndsWithTheLoader() {
        MemorySegment images;
        try (Loader loader = loader(new Samples.Fake(20), training(4, 2))) {
            images = loader.epoch(0, 0).next().images();
            assertThat(images.address() % 4096).isZero();
        }
        assertThat(images.scope().isAlive()).isFalse();
    }

    @Test
    void aSetSmallerThanTheBatchTellsWhatWouldFit() {
        assertThatThrownBy(() -> loader(new Samples.Fake(10), training(16, 1))).isInstanceOf(UserError.class)
                .hasMessageContaining("holds 10 images, fewer than one batch of 16: lower --batch to at most 10");
        assertThatThrownBy(() -> loader(new Samples.Fake(0), evaluation(16, 1))).hasMessageContaining("holds no images");
    }

    @Test
    void anImageOfTheWrongSizeEndsTheEpoch() {
        LoaderOptions options = new LoaderOptions(4, 9, 9, 1, Augment.NONE, 0, false, 0, 2, true);
        try (Loader loader = loader(new Samples.Fake(10), options); Batches batches = loader.epoch(0, 0)) {
            assertThatThrownBy(batches::next).isInstanceOf(UserError.class).hasMessageContaining("is 8x8, but --resize none needs every image to be 9x9");
        }
    }
}
