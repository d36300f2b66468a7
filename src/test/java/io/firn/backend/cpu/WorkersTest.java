package io.firn.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;

/** Every task of every run is done once, whatever helpers are asleep or late. */
class WorkersTest {

    @Test
    void runsEachTaskOnce() throws InterruptedException {
        try (Workers workers = new Workers(4)) {
            for (int run = 0; run < 3_000; run++) {
                int tasks = run % 9;
                AtomicIntegerArray counts = new AtomicIntegerArray(9);
                workers.run(tasks, i -> counts.incrementAndGet(i));
                for (int i = 0; i < 9; i++) {
                    assertThat(counts.get(i)).isEqualTo(i < tasks ? 1 : 0);
                }
                if (run % 500 == 0) {
                    Thread.sleep(5);
                }
            }
        }
    }

    @Test
    void throwsWhatATaskThrowsAndGoesOn() {
        try (Workers workers = new Workers(2)) {
            assertThatThrownBy(() -> workers.run(5, i -> {
                if (i == 3) {
                    throw new IllegalStateException("three");
                }
            })).isInstanceOf(IllegalStateException.class).hasMessage("three");
            workers.run(2, i -> { });
        }
    }

    @Test
    void closesTwice() {
        Workers workers = new Workers(3);
        workers.close();
        workers.close();
    }
}
