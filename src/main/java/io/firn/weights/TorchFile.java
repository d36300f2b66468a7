package io.firn.weights;

import static io.firn.weights.Malformed.quote;

import io.firn.weights.Pickled.Dict;
import io.firn.weights.Pickled.View;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.stream.Collectors;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;

/**
 * State dictionaries that {@code torch.save} wrote ({@code torch/serialization.py}), in both of its formats: since PyTorch
 * 1.6 a zip archive with a pickle and a stored entry for each storage; before, a {@link TorchStream}. Pickles are read by
 * {@link Pickle}, which runs nothing.
 */
final class TorchFile {
    /** What checkpoints call the network's state dictionary, those of averaged weights first, as their writers prefer them. */
    private static final List<String> NESTED = List.of("state_dict_ema", "model_ema", "state_dict", "model_state_dict",
            "model_state", "model");
    private static final int MOST_NESTED = 3;
    private static final int LARGEST_PICKLE = 64 << 20;
    private static final byte[] ZIP = {'P', 'K', 3, 4};
    /** The number that begins the first format, as an instruction of its pickle. */
    private static final byte[] MAGIC = {(byte) 0x8a, 10, 0x6c, (byte) 0xfc, (byte) 0x9c, 0x46, (byte) 0xf9, 0x20, 0x6a,
            (byte) 0xa8, 0x50, 0x19};

    private TorchFile() {
    }

    /** Whether a file that begins so is one: an archive, or a pickle. */
    static boolean is(byte[] head) {
        return isZip(head) || head.length > 2 && head[0] == (byte) 0x80 && head[1] >= 2 && head[1] <= 5;
    }

    private static boolean isZip(byte[] head) {
        return ByteBuffer.wrap(head).limit(Math.min(head.length, ZIP.length)).equals(ByteBuffer.wrap(ZIP));
    }

    /** @param messages takes a line where one of several state dictionaries was chosen */
    static Weights read(Path file, byte[] head, List<String> messages) throws IOException {
        if (isZip(head)) {
            return archive(file, messages);
        }
        // Bytes one to one, so that one text may be searched for in another.
        if (!new String(head, StandardCharsets.ISO_8859_1).contains(new String(MAGIC, StandardCharsets.ISO_8859_1))) {
            throw new Malformed("a pickle, but not of torch.save: save the state dict by torch.save or as safetensors");
        }
        return pickles(file, messages);
    }

    private static Weights archive(Path file, List<String> messages) throws IOException {
        long size = Files.size(file);
        try (ZipFile zip = new ZipFile(file.toFile())) {
            ZipEntry pickle = zip.stream().filter(e -> e.getName().endsWith("/data.pkl")).findFirst()
                    .orElseThrow(() -> new Malformed("a zip archive without data.pkl, so not of torch.save"));
            String root = pickle.getName().substring(0, pickle.getName().length() - "data.pkl".length());
            ZipEntry order = zip.getEntry(root + "byteorder");
            if (order != null && !new String(bytes(zip, order, size), StandardCharsets.US_ASCII).equals("little")) {
                throw new Malformed("its numbers are big-endian: save it on a little-endian machine");
            }
            Pickled value = Pickle.read(ByteBuffer.wrap(bytes(zip, pickle, size)));
            return weights(value, new TorchTensors((key, bytes, skip) -> {
                ZipEntry e = zip.getEntry(root + "data/" + key);
                if (e == null || e.getSize() != bytes) {
                    throw new Malformed("it has no storage %s of %d bytes", quote(key), bytes);
                }
                InputStream in = stored(zip, e, size);
                in.skipNBytes(skip);
                return Channels.newChannel(in);
            }, size), messages);
        } catch (ZipException | IllegalArgumentException e) {
            throw new Malformed("a zip archive that is cut short or damaged (%s): get the file again",
                    quote(String.valueOf(e.getMessage())));
        }
    }

    private static byte[] bytes(ZipFile zip, ZipEntry entry, long fileSize) throws IOException {
        if (entry.getSize() > LARGEST_PICKLE) {
            throw new Malformed("%s has %d bytes, and no state dict needs more than %d", quote(entry.getName()),
                    entry.getSize(), LARGEST_PICKLE);
        }
        try (InputStream in = stored(zip, entry, fileSize)) {
            return in.readAllBytes();
        }
    }

    /** torch.save compresses nothing, so what an entry claims to have, it has in the file. */
    private static InputStream stored(ZipFile zip, ZipEntry e, long fileSize) throws IOException {
        if (e.getMethod() != ZipEntry.STORED || e.getSize() != e.getCompressedSize() || e.getSize() < 0
                || e.getSize() > fileSize) {
            throw new Malformed("%s is compressed, or larger than the file: torch.save wrote it otherwise",
                    quote(e.getName()));
        }
        return zip.getInputStream(e);
    }

    private static Weights pickles(Path file, List<String> messages) throws IOException {
        try (FileChannel in = FileChannel.open(file)) {
            ByteBuffer begin = ByteBuffer.allocate((int) Math.min(in.size(), LARGEST_PICKLE));
            while (begin.hasRemaining() && in.read(begin) >= 0) {
                continue;
            }
            TorchStream stream = TorchStream.read(in, begin.flip());
            return weights(stream.value(), new TorchTensors((key, bytes, skip) -> {
                TorchStream.Place place = stream.places().get(key);
                if (place == null || place.bytes() != bytes) {
                    throw new Malformed("it has no storage %s of %d bytes", quote(key), bytes);
                }
                return in.position(place.at() + skip);
            }, in.size()), messages);
        }
    }

    private static Weights weights(Pickled value, TorchTensors tensors, List<String> messages) throws IOException {
        if (!(value instanceof Dict root)) {
            throw new Malformed("it holds no state dict: save model.state_dict()");
        }
        SequencedMap<String, Tensor> found = new LinkedHashMap<>();
        for (Map.Entry<String, View> e : views(chosen(root, MOST_NESTED, messages)).entrySet()) {
            found.put(e.getKey(), tensors.read(e.getKey(), e.getValue()));
        }
        return new Weights(found, Map.of());
    }

    /** The dictionary under the first known name that leads to tensors, else this one. */
    private static Dict chosen(Dict dict, int depth, List<String> messages) {
        List<String> nested = depth == 0 ? List.of() : NESTED.stream().filter(n -> dict.items.get(n) instanceof Dict d
                && chosen(d, depth - 1, new ArrayList<>()).items.values().stream().anyMatch(View.class::isInstance)).toList();
        if (nested.isEmpty()) {
            return dict;
        }
        messages.add("took the state dict under '%s'%s".formatted(nested.getFirst(), nested.size() == 1 ? ""
                : nested.stream().skip(1).map(n -> "'" + n + "'").collect(Collectors.joining(" or ", ", and not ", ""))));
        return chosen((Dict) dict.items.get(nested.getFirst()), depth - 1, messages);
    }

    private static SequencedMap<String, View> views(Dict dict) {
        SequencedMap<String, View> views = new LinkedHashMap<>();
        dict.items.forEach((name, v) -> {
            if (v instanceof View view) {
                views.put(name, view);
            }
        });
        return views;
    }
}
