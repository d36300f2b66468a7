package io.firn.train;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class SignalsTest {
    @Test
    void theFirstSignalIsAFlag() throws Exception {
        try (Signals signals = Signals.install()) {
            assertThat(signals.requested()).isFalse();
            String pid = String.valueOf(ProcessHandle.current().pid());
            // Twice at once, as timeout does it: still no second signal.
            assertThat(new ProcessBuilder("sh", "-c", "kill -TERM $0; sleep 0.05; kill -TERM $0", pid).start().waitFor()).isZero();
            for (int i = 0; i < 500 && !signals.requested(); i++) {
                Thread.sleep(10);
            }
            // The second may still be on its way, and must not meet what was there before.
            Thread.sleep(500);
            assertThat(signals.requested()).isTrue();
            assertThat(signals.name()).isEqualTo("SIGTERM");
        }
    }
}
