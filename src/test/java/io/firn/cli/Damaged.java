package io.firn.cli;

import java.util.Arrays;
import java.util.Random;

/** Damages a file's bytes as disks, networks and people do: cut off, bits flipped, numbers that lie, parts gone or doubled. */
final class Damaged {
    private static final long[] LIES = {0, 1, -1, Integer.MAX_VALUE, Integer.MIN_VALUE, Long.MAX_VALUE, Long.MIN_VALUE, 0xFFFFFFFFL,
            1L << 32, 1L << 40, 0x7F7F7F7F7F7F7F7FL, 0x3737373737373737L};
    /** Where headers are. */
    private static final int HEADER = 256;

    private Damaged() {
    }

    static byte[] of(byte[] whole, Random random) {
        byte[] bytes = whole.clone();
        switch (random.nextInt(6)) {
            case 0 -> bytes = Arrays.copyOf(bytes, random.nextInt(bytes.length));
            case 1 -> bytes = Arrays.copyOf(bytes, Math.min(bytes.length, random.nextInt(HEADER)));
            case 2 -> {
                for (int n = 1 + random.nextInt(8); n > 0; n--) {
                    bytes[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
                }
            }
            case 3 -> {
                int width = random.nextBoolean() ? 4 : 8;
                int at = random.nextInt(Math.max(1, Math.min(bytes.length, HEADER) - width));
                long lie = LIES[random.nextInt(LIES.length)];
                boolean little = random.nextBoolean();
                for (int i = 0; i < width && at + i < bytes.length; i++) {
                    bytes[at + i] = (byte) (lie >>> 8 * (little ? i : width - 1 - i));
                }
            }
            case 4 -> {
                int at = random.nextInt(bytes.length);
                int end = Math.min(bytes.length, at + 1 + random.nextInt(600));
                Arrays.fill(bytes, at, end, (byte) (random.nextBoolean() ? 0 : random.nextInt(256)));
            }
            default -> {
                // A part is gone, or there twice.
                int at = random.nextInt(bytes.length);
                int n = Math.min(1 + random.nextInt(600), bytes.length - at);
                int from = random.nextBoolean() ? at + n : at;
                int to = from == at ? at + n : at;
                byte[] changed = new byte[bytes.length + to - from];
                System.arraycopy(bytes, 0, changed, 0, Math.min(at + (from == at ? n : 0), changed.length));
                System.arraycopy(bytes, from, changed, to, bytes.length - from);
                bytes = changed;
            }
        }
        return bytes;
    }
}
