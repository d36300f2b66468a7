package io.firn.report;

import io.firn.error.UserError;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.SequencedMap;
import java.util.zip.CRC32C;

/**
 * Writes scalars for TensorBoard: a file {@code events.out.tfevents.*} of TFRecords, each an {@code Event} message of
 * {@code tensorflow/core/util/event.proto}. Only the seven fields that scalars need are encoded, by hand: protobuf's own
 * library and compiler would be a hundred times as much. Records reach the system whole, so a reader may follow.
 */
public final class EventFile implements AutoCloseable {
    private static final int MASK_DELTA = 0xa282ead8;
    private static final int SESSION_START = 1;

    private final Path file;
    private final FileChannel channel;

    private EventFile(Path file, FileChannel channel) {
        this.file = file;
        this.channel = channel;
    }

    /**
     * Starts a file of its own for a process that works on a run; TensorBoard reads all files of a folder as one.
     *
     * @param step steps that are done: what earlier processes wrote beyond, TensorBoard forgets
     * @throws UserError (other) where it cannot be written
     */
    public static EventFile start(Path run, long step) {
        long now = System.currentTimeMillis();
        Path file = run.resolve("events.out.tfevents.%d.%s.%d".formatted(now / 1000, host(), ProcessHandle.current().pid()));
        try {
            EventFile events = new EventFile(file, FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE,
                    StandardOpenOption.APPEND));
            events.write(new Message().real(1, now / 1e3).text(3, "brain.Event:2"));
            events.write(new Message().real(1, now / 1e3).number(2, step + 1)
                    .message(7, new Message().number(1, SESSION_START)));
            return events;
        } catch (IOException e) {
            throw cannotWrite(file, e);
        }
    }

    private static String host() {
        try {
            return InetAddress.getLocalHost().getHostName().replaceAll("[^A-Za-z0-9-]", "_");
        } catch (UnknownHostException e) {
            return "unknown";
        }
    }

    /** Adds values of one step, by tag such as {@code loss/train}. */
    public void add(long step, SequencedMap<String, Double> values) {
        Message summary = new Message();
        values.forEach((tag, value) ->
                summary.message(1, new Message().text(1, tag).real32(2, value.floatValue())));
        write(new Message().real(1, System.currentTimeMillis() / 1e3).number(2, step).message(5, summary));
    }

    /** A TFRecord: length, its checksum, data, their checksum. */
    private void write(Message event) {
        byte[] data = event.bytes();
        ByteBuffer record = ByteBuffer.allocate(16 + data.length).order(ByteOrder.LITTLE_ENDIAN).putLong(data.length);
        record.putInt(masked(record.array(), 8)).put(data).putInt(masked(data, data.length)).flip();
        try {
            while (record.hasRemaining()) {
                channel.write(record);
            }
        } catch (IOException e) {
            throw cannotWrite(file, e);
        }
    }

    /** CRC-32C, turned and shifted so that checksums of data that hold checksums stay good ones (TFRecord's rule). */
    static int masked(byte[] data, int length) {
        var crc = new CRC32C();
        crc.update(data, 0, length);
        return Integer.rotateRight((int) crc.getValue(), 15) + MASK_DELTA;
    }

    private static UserError cannotWrite(Path file, IOException e) {
        return UserError.other("cannot write %s: %s", file, e.getMessage()).causedBy(e);
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw cannotWrite(file, e);
        }
    }

    /** A protobuf message, field by field. */
    private static final class Message {
        private final ByteArrayOutputStream out = new ByteArrayOutputStream();

        Message number(int field, long value) {
            return varint(field << 3).varint(value);
        }

        Message real(int field, double value) {
            varint(field << 3 | 1);
            out.writeBytes(little(8).putDouble(value).array());
            return this;
        }

        Message real32(int field, float value) {
            varint(field << 3 | 5);
            out.writeBytes(little(4).putFloat(value).array());
            return this;
        }

        Message text(int field, String value) {
            return delimited(field, value.getBytes(StandardCharsets.UTF_8));
        }

        Message message(int field, Message value) {
            return delimited(field, value.bytes());
        }

        byte[] bytes() {
            return out.toByteArray();
        }

        private Message delimited(int field, byte[] bytes) {
            varint(field << 3 | 2).varint(bytes.length);
            out.writeBytes(bytes);
            return this;
        }

        private Message varint(long value) {
            long rest = value;
            for (; (rest & ~0x7fL) != 0; rest >>>= 7) {
                out.write((int) (rest & 0x7f | 0x80));
            }
            out.write((int) rest);
            return this;
        }

        private static ByteBuffer little(int bytes) {
            return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
        }
    }
}
