package io.firn.backend.cuda.kernels;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * A kernel's CUDA C++. Sizes are arguments, so that equal structures share a source; two sources with one entry point are
 * the same to the letter, since its name carries their hash.
 *
 * @param entry name of the {@code extern "C"} kernel
 * @param body  its namespace, to be compiled after {@link #prelude}
 */
public record KernelSource(String entry, String body) {
    private static final int HASH_DIGITS = 16;

    /** What comes before any number of bodies in a translation unit. */
    public static String prelude() {
        return resource("firn.h");
    }

    /** A whole translation unit. */
    public String program() {
        return prelude() + body;
    }

    /** Names a kernel by what it is and its text, in which {@code ENTRY} stands for the name. */
    static KernelSource of(String name, String text) {
        String entry = name + "_" + sha256(prelude() + text).substring(0, HASH_DIGITS);
        return new KernelSource(entry, text.replace("ENTRY", entry));
    }

    static String sha256(String text) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    /** A file of {@code native/cuda}, as it lies in the jar. */
    static String resource(String name) {
        try (InputStream in = KernelSource.class.getResourceAsStream("/native/cuda/" + name)) {
            if (in == null) {
                throw new IllegalStateException("the jar lacks the kernel source " + name);
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException("kernel source " + name, e);
        }
    }
}
