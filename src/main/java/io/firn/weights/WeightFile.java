package io.firn.weights;

import io.firn.error.UserError;
import io.firn.files.AtomicFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;

/**
 * A weight file of any format that Firn reads, told apart by its content, with its tensors under torchvision's names
 * where they had another's.
 *
 * @param messages what was chosen or put right, a line each
 */
public record WeightFile(Format format, Weights weights, List<String> messages) {
    private static final int HEAD = 64;

    /** What a file is. */
    public enum Format {
        SAFETENSORS("safetensors"), TORCH("pth"), ONNX("onnx");

        private final String label;

        Format(String label) {
            this.label = label;
        }

        /** The format as files of it end: {@code safetensors}, {@code pth}, {@code onnx}. */
        public String label() {
            return label;
        }
    }

    public WeightFile {
        messages = List.copyOf(messages);
    }

    /**
     * Reads a file; other types of floating-point numbers become f32. Files come from strangers: nothing in them is
     * executed, and memory stays within a few times the file's size.
     *
     * @throws UserError (data) where it is missing, of another format, truncated or damaged
     */
    public static WeightFile read(Path file) {
        // A pipe would be waited for, a device has no size.
        if (Files.exists(file) && !Files.isRegularFile(file)) {
            throw UserError.data("%s is no regular file", file);
        }
        List<String> messages = new ArrayList<>();
        try {
            byte[] head = head(file);
            Format format = format(head).orElseThrow(() -> new Malformed("this is neither safetensors nor a file of "
                    + "PyTorch (.pth) nor ONNX, or its beginning is damaged"));
            Weights weights = switch (format) {
                case SAFETENSORS -> Safetensors.read(file);
                case TORCH -> TorchFile.read(file, head, messages);
                case ONNX -> OnnxReader.read(file);
            };
            SequencedMap<String, Tensor> tensors = Names.torchvision(weights.tensors(), messages);
            return new WeightFile(format, new Weights(tensors, weights.metadata()), messages);
        } catch (Malformed e) {
            throw UserError.data("%s: %s", file, e.getMessage()).causedBy(e);
        } catch (IOException e) {
            throw UserError.data("cannot read %s: %s", file, AtomicFile.reason(e)).causedBy(e);
        }
    }

    private static byte[] head(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            return in.readNBytes(HEAD);
        }
    }

    private static Optional<Format> format(byte[] head) {
        if (Safetensors.is(head)) {
            return Optional.of(Format.SAFETENSORS);
        }
        if (TorchFile.is(head)) {
            return Optional.of(Format.TORCH);
        }
        return OnnxReader.is(head) ? Optional.of(Format.ONNX) : Optional.empty();
    }
}
