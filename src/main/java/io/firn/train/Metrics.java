package io.firn.train;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.Objects;
import java.util.SequencedMap;

/**
 * Writes {@code metrics.jsonl}: a line per step and one per epoch, each handed to the system as a whole, so that whoever
 * follows the file sees what has happened.
 */
public final class Metrics implements AutoCloseable {
    private static final ObjectMapper JSON = JsonMapper.builder()
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .defaultPropertyInclusion(JsonInclude.Value.construct(JsonInclude.Include.NON_NULL, JsonInclude.Include.NON_NULL)).build();

    /** What one line says. NaN and infinities are written as strings, since JSON has no such numbers. */
    public sealed interface Line {
        String kind();

        /** Its numbers by TensorBoard's tag. */
        SequencedMap<String, Double> scalars();
    }

    /**
     * A step's line.
     *
     * @param step       steps done, this one included
     * @param epoch      the first is 0
     * @param loss       the batch's mean loss, with all digits of the float
     * @param lr         the learning rate that the step took
     * @param imagesPerS throughput since the last line
     * @param gradientNorm before clipping; null, and left out, where gradients are not clipped. A step whose norm is not
     *                     finite was skipped
     */
    @JsonPropertyOrder({"kind", "step", "epoch", "loss", "lr", "images_per_s", "gradient_norm"})
    public record Step(long step, int epoch, float loss, double lr, float imagesPerS, Float gradientNorm) implements Line {
        public Step(long step, int epoch, float loss, double lr, float imagesPerS) {
            this(step, epoch, loss, lr, imagesPerS, null);
        }

        @Override
        @JsonProperty
        public String kind() {
            return "step";
        }

        @Override
        public SequencedMap<String, Double> scalars() {
            SequencedMap<String, Double> scalars = new LinkedHashMap<>();
            scalars.put("loss/train", (double) loss);
            scalars.put("learning_rate", lr);
            scalars.put("images_per_s", (double) imagesPerS);
            if (gradientNorm != null) {
                scalars.put("gradient_norm", (double) gradientNorm);
            }
            return scalars;
        }
    }

    /** An epoch's line; without validation the values of it are null, and left out. Top1 and top5 are between 0 and 1. */
    @JsonPropertyOrder({"kind", "epoch", "train_loss", "val_loss", "val_top1", "val_top5", "seconds"})
    public record Epoch(int epoch, double trainLoss, Double valLoss, Double valTop1, Double valTop5, double seconds)
            implements Line {
        @Override
        @JsonProperty
        public String kind() {
            return "epoch";
        }

        @Override
        public SequencedMap<String, Double> scalars() {
            SequencedMap<String, Double> scalars = new LinkedHashMap<>();
            scalars.put("loss/epoch", trainLoss);
            scalars.put("loss/validation", valLoss);
            scalars.put("top1/validation", valTop1);
            scalars.put("top5/validation", valTop5);
            scalars.values().removeIf(Objects::isNull);
            return scalars;
        }
    }

    private final Path file;
    private final FileChannel channel;

    private Metrics(Path file, FileChannel channel) {
        this.file = file;
        this.channel = channel;
    }

    /** Starts the file anew. */
    public static Metrics create(Path file) {
        return open(file, 0, 0);
    }

    /**
     * Goes on with a file: keeps what the checkpoint covers, so that each step and epoch has one line. Everything from
     * the first line on that lies beyond the checkpoint, or that a killed process left torn, is cut off.
     *
     * @param steps  steps done at the checkpoint
     * @param epochs epochs whose line had been written at the checkpoint
     */
    public static Metrics resume(Path file, long steps, int epochs) {
        return open(file, steps, epochs);
    }

    private static Metrics open(Path file, long steps, int epochs) {
        try {
            FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.READ,
                    StandardOpenOption.WRITE);
            try {
                channel.truncate(covered(channel, steps, epochs));
                channel.position(channel.size());
            } catch (IOException | RuntimeException e) {
                channel.close();
                throw e;
            }
            return new Metrics(file, channel);
        } catch (IOException e) {
            throw AtomicFolder.cannotWrite(file, e);
        }
    }

    /** Bytes of the lines that a checkpoint covers. */
    private static long covered(FileChannel channel, long steps, int epochs) throws IOException {
        if (steps == 0 && epochs == 0) {
            return 0;
        }
        // Not closed: that would close the channel.
        InputStream in = new BufferedInputStream(Channels.newInputStream(channel), 1 << 16);
        long end = 0;
        for (byte[] line = line(in); line != null && isCovered(line, steps, epochs); line = line(in)) {
            end += line.length + 1;
        }
        return end;
    }

    /** The next line without its end; null where the file ends first. */
    private static byte[] line(InputStream in) throws IOException {
        var line = new ByteArrayOutputStream();
        for (int b = in.read(); b != '\n'; b = in.read()) {
            if (b < 0) {
                return null;
            }
            line.write(b);
        }
        return line.toByteArray();
    }

    private static boolean isCovered(byte[] line, long steps, int epochs) {
        try {
            JsonNode node = JSON.readTree(line);
            return switch (node.path("kind").asText()) {
                case "step" -> node.path("step").asLong(Long.MAX_VALUE) <= steps;
                case "epoch" -> node.path("epoch").asInt(Integer.MAX_VALUE) < epochs;
                default -> false;
            };
        } catch (IOException e) {
            return false;
        }
    }

    /** Appends a line. */
    public void add(Line line) {
        try {
            ByteBuffer bytes = ByteBuffer.wrap((JSON.writeValueAsString(line) + "\n").getBytes(StandardCharsets.UTF_8));
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
        } catch (IOException e) {
            throw AtomicFolder.cannotWrite(file, e);
        }
    }

    /** Flushes to the disk: to be called before a checkpoint that counts on the lines so far. */
    public void sync() {
        try {
            channel.force(false);
        } catch (IOException e) {
            throw AtomicFolder.cannotWrite(file, e);
        }
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw AtomicFolder.cannotWrite(file, e);
        }
    }
}
