package io.firn.data;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** SHA-256 over a sequence of fields; each text is closed by a zero byte so that fields cannot run together. */
final class Digest {
    private final MessageDigest sha = sha256();

    /** A fresh SHA-256, which every Java has. */
    static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    Digest add(String text) {
        sha.update(text.getBytes(StandardCharsets.UTF_8));
        sha.update((byte) 0);
        return this;
    }

    Digest add(long number) {
        for (int shift = 56; shift >= 0; shift -= 8) {
            sha.update((byte) (number >>> shift));
        }
        return this;
    }

    Digest add(byte[] bytes) {
        sha.update(bytes);
        return this;
    }

    /** The digest in hexadecimal; this object is then spent. */
    String hex() {
        return HexFormat.of().formatHex(sha.digest());
    }
}
