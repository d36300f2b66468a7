package io.firn.numerics;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.firn.graph.Shape;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * The reference figures of {@code references/*.json} and what they were computed from: weights, images and labels that
 * integer hashes give bit for bit, as {@code benchmarks/reference/make_references.py} defines them.
 */
final class References {
    private static final long FNV_OFFSET = 0xcbf29ce484222325L;
    private static final long FNV_PRIME = 0x100000001b3L;
    /** Side of the coarse blocks that images are made of. */
    private static final int BLOCK = 8;
    private static final int CHANNELS = 3;
    /** Random projections that stand for a tensor's update. */
    private static final int PROBES = 4;
    private static final double SKETCH_UNIT = 1e-7;

    private References() {
    }

    /** A file's object. */
    static JsonNode read(String name) {
        try (InputStream in = References.class.getResourceAsStream("/references/" + name)) {
            return new ObjectMapper().readTree(in);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static double[] numbers(JsonNode array) {
        double[] v = new double[array.size()];
        for (int i = 0; i < v.length; i++) {
            v[i] = array.get(i).doubleValue();
        }
        return v;
    }

    /** FNV-1a over the key's UTF-8 bytes. */
    static long fnv(String key) {
        long state = FNV_OFFSET;
        for (byte b : key.getBytes(StandardCharsets.UTF_8)) {
            state = (state ^ b & 0xFF) * FNV_PRIME;
        }
        return state;
    }

    /** Endless bits of a key, 64 a draw. */
    static SplittableRandom bits(String key) {
        return new SplittableRandom(fnv(key));
    }

    private static double uniform(SplittableRandom bits) {
        return (bits.nextLong() >>> 40) * 0x1p-23 - 1;
    }

    /**
     * A weight, bias or running statistic by torchvision's name.
     *
     * @param exponents for a batch norm's name, log2 of its input's size, to which the statistics are scaled
     */
    static float[] state(String name, Shape shape, String suffix, Map<String, Integer> exponents) {
        SplittableRandom bits = bits(name + suffix);
        float[] v = new float[Math.toIntExact(shape.elements())];
        int fanIn = v.length / shape.dim(0);
        int exponent = exponents.getOrDefault(name.substring(0, name.lastIndexOf('.')), 0);
        for (int i = 0; i < v.length; i++) {
            double u = uniform(bits);
            double value;
            if (shape.rank() == 4) {
                value = Math.sqrt(6.0 / fanIn) * u;
            } else if (shape.rank() == 2) {
                value = Math.sqrt(1.0 / fanIn) * u;
            } else if (name.endsWith(".running_mean")) {
                value = Math.scalb(0.1 * u, exponent);
            } else if (name.endsWith(".running_var")) {
                value = Math.scalb(1.0 + 0.2 * Math.abs(u), 2 * exponent);
            } else {
                value = name.endsWith(".weight") ? 1.0 + 0.1 * u : 0.1 * u;
            }
            v[i] = (float) value;
        }
        return v;
    }

    /** Pixels [N, side, side, 3] of the first samples. */
    static byte[] images(int samples, int side, String suffix) {
        int coarse = side / BLOCK;
        byte[] blocks = bytes("blocks" + suffix, samples * coarse * coarse * CHANNELS);
        byte[] v = bytes("pixels" + suffix, samples * side * side * CHANNELS);
        for (int i = 0; i < v.length; i++) {
            int c = i % CHANNELS;
            int x = i / CHANNELS % side;
            int y = i / CHANNELS / side % side;
            int n = i / CHANNELS / side / side;
            int block = blocks[((n * coarse + y / BLOCK) * coarse + x / BLOCK) * CHANNELS + c] & 0xFF;
            v[i] = (byte) (3 * block + (v[i] & 0xFF) >> 2);
        }
        return v;
    }

    private static byte[] bytes(String key, int count) {
        SplittableRandom bits = bits(key);
        byte[] v = new byte[count];
        for (int i = 0; i < count; i++) {
            v[i] = (byte) (bits.nextLong() >>> 56);
        }
        return v;
    }

    /** Classes of the first samples. */
    static int[] labels(int samples, int classes, String suffix) {
        SplittableRandom bits = bits("labels" + suffix);
        int[] v = new int[samples];
        for (int i = 0; i < samples; i++) {
            v[i] = (int) ((bits.nextLong() >>> 33) % classes);
        }
        return v;
    }

    /** How far an update is from an entry's, relative to that one's size, estimated from the entry's sketches. */
    static double updateDistance(JsonNode entry, Map<String, double[]> update) {
        double unit = SKETCH_UNIT * entry.get("update_norm").doubleValue();
        double squares = 0;
        for (Map.Entry<String, double[]> tensor : update.entrySet()) {
            double[] stored = numbers(entry.get("sketch").get(tensor.getKey()));
            double[] probes = probes(tensor.getKey(), tensor.getValue());
            for (int k = 0; k < PROBES; k++) {
                squares += Math.pow(stored[k] - probes[k] / unit, 2);
            }
        }
        return SKETCH_UNIT * Math.sqrt(squares / PROBES);
    }

    private static double[] probes(String name, double[] update) {
        SplittableRandom bits = bits("sketch:" + name);
        double[] sums = new double[PROBES];
        for (double d : update) {
            long signs = bits.nextLong();
            for (int k = 0; k < PROBES; k++) {
                sums[k] += (signs << k) < 0 ? d : -d;
            }
        }
        return sums;
    }
}
