package io.firn.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class ProgressTest {
    private static final long SECOND = 1_000_000_000L;
    private static final Progress.Memory MEMORY = new Progress.Memory(325_400_000, () -> 511_600_000);
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final PrintStream err = new PrintStream(bytes, true, StandardCharsets.UTF_8);

    private static Progress.Step step(long number, long waitNs) {
        return new Progress.Step(number, 0.5f, 0.1, 812, SECOND, waitNs);
    }

    @Test
    void aLogGetsALineEveryTenSeconds() {
        AtomicLong clock = new AtomicLong();
        try (Progress p = new Progress.Lines("resnet20", 100, 20, MEMORY, err, clock::get)) {
            for (int step = 21; step <= 100; step++) {
                clock.addAndGet(SECOND);
                p.step(step(step, step <= 30 ? SECOND / 50 : SECOND / 2));
            }
            p.say("done");
        }
        assertThat(bytes.toString(StandardCharsets.UTF_8).lines()).hasSize(9)
                .startsWith("resnet20: step 30 of 100, loss 0.5000, rate 0.1, 812 images/s, 0:01:10 left, compute limits "
                        + "(2 % input wait), 325 MB planned, 512 MB resident")
                .contains("resnet20: step 100 of 100, loss 0.5000, rate 0.1, 812 images/s, 0:00:00 left, input limits "
                        + "(50 % input wait), 325 MB planned, 512 MB resident")
                .endsWith("done");
    }

    @Test
    void ratesHaveThreeDigits() {
        AtomicLong clock = new AtomicLong();
        try (Progress p = new Progress.Lines("r", 1, 0, MEMORY, err, clock::get)) {
            for (double rate : new double[] {0.095_649_9, 1.25e-6, 10, 3e-4, 0}) {
                p.step(new Progress.Step(1, 1, rate, 1, SECOND, 0));
            }
        }
        assertThat(bytes.toString(StandardCharsets.UTF_8).lines().map(l -> l.split(", ")[2])).containsExactly("rate 0.0956",
                "rate 1.25e-06", "rate 10", "rate 0.0003", "rate 0");
    }

    @Test
    void aTerminalGetsABarAndNumbersThatAreDrawnOverThemselves() {
        try (Progress p = new Progress.Bar("resnet20", 100, 0, MEMORY, err)) {
            p.step(new Progress.Step(50, 0.25f, 0.1, 8, SECOND, 0));
            p.say("epoch 1: 91 %");
            p.step(new Progress.Step(100, 0.2f, 0.1, 8, SECOND, SECOND / 4));
        }
        String text = bytes.toString(StandardCharsets.UTF_8);
        assertThat(text).contains("\repoch 1: 91 %\033[K\n\033[K").contains("100%").contains("loss 0.2000, rate 0.1")
                .contains("\r8.0 images/s, input limits (25 % input wait), 325 MB planned, 512 MB resident\033[K\033[A\r")
                .endsWith("\n");
        assertThat(text.split("[\r\n]")).allMatch(line -> line.replaceAll("\033\\[.", "").length() < 80);
    }
}
