package io.firn.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class ProgressTest {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final PrintStream err = new PrintStream(bytes, true, StandardCharsets.UTF_8);

    @Test
    void aLogGetsALineEveryTenSeconds() {
        AtomicLong clock = new AtomicLong();
        try (Progress p = new Progress.Lines("resnet20", 100, 20, err, clock::get)) {
            for (int step = 21; step <= 100; step++) {
                clock.addAndGet(1_000_000_000L);
                p.step(step, 0.5f, 812.4);
            }
            p.say("done");
        }
        assertThat(bytes.toString(StandardCharsets.UTF_8).lines()).hasSize(9)
                .startsWith("resnet20: step 30 of 100, loss 0.5000, 812 images/s, 0:01:10 left")
                .contains("resnet20: step 100 of 100, loss 0.5000, 812 images/s, 0:00:00 left")
                .endsWith("done");
    }

    @Test
    void aTerminalGetsABarThatIsDrawnOverItself() {
        try (Progress p = new Progress.Bar("resnet20", 100, 0, err)) {
            p.step(50, 0.25f, 8.25);
            p.say("epoch 1: 91 %");
            p.step(100, 0.2f, 8.5);
        }
        String text = bytes.toString(StandardCharsets.UTF_8);
        assertThat(text).contains("\repoch 1: 91 %\033[K\n").contains("100%").contains("loss 0.2000, 8.5").endsWith("\n");
        assertThat(text.split("\r")).allMatch(line -> line.strip().length() <= 80 + "\033[K".length());
    }
}
