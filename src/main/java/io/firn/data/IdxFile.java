package io.firn.data;

import io.firn.error.UserError;
import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;

/**
 * The content of one IDX file of unsigned bytes (the format of MNIST: a magic number that tells the rank, a
 * big-endian length a dimension, the bytes), plain or gzipped.
 *
 * @param sha256 of the uncompressed file, which is the same however it was compressed
 */
record IdxFile(Path path, int[] dimensions, byte[] data, String sha256) {
    private static final int UNSIGNED_BYTES = 0x08;
    /** Bytes that a byte of gzip expands to at most. */
    private static final long MOST_COMPRESSED = 1032;

    /**
     * Reads a file whole. No more memory is taken than what is really there can fill, whatever the header says.
     *
     * @param rank 3 for images, 1 for labels
     * @throws UserError where the file is missing, of another kind, cut off, or longer than it says
     */
    static IdxFile read(Path path, int rank) {
        MessageDigest sha = Digest.sha256();
        try (InputStream in = open(path)) {
            byte[] header = in.readNBytes(4 + 4 * rank);
            sha.update(header);
            int[] dimensions = dimensions(path, header, rank);
            long expected = 1;
            for (int d : dimensions) {
                // At most 2^31 * 2^31 before the check, so this cannot overflow.
                expected *= d;
                if (expected > Integer.MAX_VALUE - 16) {
                    throw UserError.data("%s says it holds more than 2 GB, which Firn does not read from one IDX file: the header is damaged, or use class folders", path);
                }
            }
            // In one piece: Java's readNBytes would have it in the heap twice.
            long most = Files.size(path) * (in instanceof GZIPInputStream ? MOST_COMPRESSED : 1);
            if (expected + header.length > most) {
                throw truncated(path, expected + header.length, "has " + most + " at most");
            }
            byte[] data = new byte[(int) expected];
            int there = in.readNBytes(data, 0, data.length);
            if (there < expected) {
                throw truncated(path, expected + header.length, "has " + (there + header.length));
            }
            if (in.read() != -1) {
                throw UserError.data("%s goes on after the %,d bytes that its header says: the header or the file is damaged, fetch it again",
                        path, expected + header.length);
            }
            sha.update(data);
            return new IdxFile(path, dimensions, data, HexFormat.of().formatHex(sha.digest()));
        } catch (EOFException _) {
            throw UserError.data("%s is a truncated gzip file: fetch it again", path);
        } catch (ZipException e) {
            throw UserError.data("%s is a damaged gzip file (%s): fetch it again", path, e.getMessage());
        } catch (IOException e) {
            throw UserError.data("%s cannot be read: %s", path, e).causedBy(e);
        }
    }

    private static InputStream open(Path path) throws IOException {
        InputStream in = new BufferedInputStream(Files.newInputStream(path), 1 << 16);
        try {
            in.mark(2);
            boolean gzip = in.read() == 0x1F && in.read() == 0x8B;
            in.reset();
            return gzip ? new GZIPInputStream(in, 1 << 16) : in;
        } catch (IOException e) {
            in.close();
            throw e;
        }
    }

    private static int[] dimensions(Path path, byte[] header, int rank) {
        if (header.length < 4) {
            throw truncated(path, 4 + 4 * rank, "has " + header.length);
        }
        ByteBuffer in = ByteBuffer.wrap(header);
        int magic = in.getInt();
        if (magic != (UNSIGNED_BYTES << 8 | rank)) {
            throw UserError.data("%s is not an IDX file of %s: it begins with %08x instead of %08x", path,
                    rank == 1 ? "labels" : "images", magic, UNSIGNED_BYTES << 8 | rank);
        }
        if (header.length < 4 + 4 * rank) {
            throw truncated(path, 4 + 4 * rank, "has " + header.length);
        }
        int[] dimensions = new int[rank];
        for (int i = 0; i < rank; i++) {
            dimensions[i] = in.getInt();
            if (dimensions[i] < 1) {
                throw UserError.data("%s says that its dimension %d is %d: the header is damaged, fetch the file again",
                        path, i, dimensions[i] & 0xFFFFFFFFL);
            }
        }
        return dimensions;
    }

    private static UserError truncated(Path path, long expected, String found) {
        return UserError.data("%s is truncated: its header promises %,d bytes (uncompressed), it %s: fetch it again", path, expected, found);
    }
}
