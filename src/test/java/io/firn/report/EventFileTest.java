package io.firn.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.abort;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.firn.error.UserError;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Event files as TFRecord's rules have them, and as TensorBoard itself reads them. */
class EventFileTest {
    @TempDir
    private Path folder;

    private static SequencedMap<String, Double> scalars(Object... tagsAndValues) {
        SequencedMap<String, Double> m = new LinkedHashMap<>();
        for (int i = 0; i < tagsAndValues.length; i += 2) {
            m.put((String) tagsAndValues[i], (Double) tagsAndValues[i + 1]);
        }
        return m;
    }

    private Path only() throws IOException {
        try (var files = Files.list(folder)) {
            return files.reduce((a, b) -> {
                throw new IllegalStateException("two files");
            }).orElseThrow();
        }
    }

    @Test
    void theChecksumIsCrc32cMasked() {
        // CRC-32C of "123456789" is e3069283 (RFC 3720's polynomial); rotated by 15 and shifted by TFRecord's constant.
        assertThat(EventFile.masked("123456789".getBytes(StandardCharsets.US_ASCII), 9))
                .isEqualTo((0xe3069283 >>> 15 | 0xe3069283 << 17) + 0xa282ead8);
    }

    @Test
    void recordsAreFramed() throws IOException {
        try (EventFile events = EventFile.start(folder, 0)) {
            events.add(300, scalars("loss/train", 0.25));
        }
        ByteBuffer in = ByteBuffer.wrap(Files.readAllBytes(only())).order(ByteOrder.LITTLE_ENDIAN);
        List<byte[]> records = new ArrayList<>();
        while (in.hasRemaining()) {
            byte[] length = new byte[8];
            in.get(in.position(), length);
            byte[] data = new byte[Math.toIntExact(in.getLong())];
            assertThat(in.getInt()).isEqualTo(EventFile.masked(length, 8));
            in.get(data);
            assertThat(in.getInt()).isEqualTo(EventFile.masked(data, data.length));
            records.add(data);
        }
        assertThat(records).hasSize(3);
        assertThat(new String(records.getFirst(), StandardCharsets.ISO_8859_1)).endsWith("\u001a\rbrain.Event:2");
        // Step 300 as a varint, then the summary: tag and value.
        assertThat(new String(records.getLast(), StandardCharsets.ISO_8859_1))
                .endsWith("\u0010\u00ac\u0002*\u0013\n\u0011\n\nloss/train\u0015\0\0\u0080>");
    }

    @Test
    void anUnwritablePlaceIsNamed() {
        assertThatThrownBy(() -> EventFile.start(folder.resolve("none"), 0)).isInstanceOf(UserError.class)
                .hasMessageContaining("cannot write " + folder.resolve("none"));
    }

    @Test
    void tensorBoardReadsWhatAResumedRunWrote() throws IOException, InterruptedException {
        String python = System.getenv().getOrDefault("FIRN_TEST_PYTHON", "python3");
        try (EventFile first = EventFile.start(folder, 0)) {
            for (int step = 1; step <= 5; step++) {
                first.add(step, scalars("loss/train", 1.0 / step, "learning_rate", 0.1));
            }
        }
        // Killed after step 5, with a checkpoint at 3: another process's file, a later one by its name.
        Path earlier = only();
        Files.move(earlier, folder.resolve("events.out.tfevents.1000000000.host.1"));
        try (EventFile second = EventFile.start(folder, 3)) {
            second.add(4, scalars("loss/train", -4.0));
            second.add(4, scalars("top1/validation", 0.5));
        }
        Path script = Files.writeString(folder.resolve("read.py"), """
                import json, sys
                try:
                    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
                except ImportError as e:
                    sys.exit(77)
                a = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0})
                a.Reload()
                print(json.dumps({t: [[e.step, e.value] for e in a.Scalars(t)] for t in a.Tags()["scalars"]}))
                """);
        int code;
        Path out = folder.resolve("out.json");
        try {
            code = new ProcessBuilder(python, script.toString(), folder.toString()).redirectOutput(out.toFile())
                    .redirectError(folder.resolve("err.txt").toFile()).start().waitFor();
        } catch (IOException e) {
            code = 77;
        }
        if (code == 77) {
            String why = "skipped: %s has no tensorboard to check event files with (pip install tensorboard, or name another "
                    + "Python by FIRN_TEST_PYTHON)";
            System.out.println(why.formatted(python));
            abort(why.formatted(python));
        }
        assertThat(code).as(Files.readString(folder.resolve("err.txt"))).isZero();
        JsonNode read = new ObjectMapper().readTree(out.toFile());
        assertThat(read.get("loss/train").toString()).isEqualTo("[[1,1.0],[2,0.5],[3,0.3333333432674408],[4,-4.0]]");
        assertThat(read.get("learning_rate").toString()).startsWith("[[1,0.1000000014").contains("[3,").doesNotContain("[4,");
        assertThat(read.get("top1/validation").toString()).isEqualTo("[[4,0.5]]");
    }
}
