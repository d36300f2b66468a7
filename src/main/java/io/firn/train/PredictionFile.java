package io.firn.train;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.firn.data.DamagedImage;
import io.firn.error.UserError;
import io.firn.files.AtomicFile;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/**
 * Predictions in a file, a line an image as they come, in the order given: CSV with file, reason where it could not be
 * read, and classes with their probabilities; or JSON lines. Its name says which.
 */
final class PredictionFile implements Classifier.Sink {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Writer out;
    private final Format format;
    private final int top;

    private enum Format { CSV, JSONL }

    private PredictionFile(Writer out, Format format, int top) {
        this.out = out;
        this.format = format;
        this.top = top;
    }

    /**
     * Asks a network about images and writes what it says, whole or not at all.
     *
     * @param file ends with .csv or .jsonl
     * @param top  classes of each image
     * @throws UserError as {@link Classifier#predict(List, Views, int, Classifier.Sink)}, and for another name
     */
    static Throughput write(Path file, Classifier net, List<Path> images, Views views, int top) {
        Format format = format(file);
        Throughput[] result = new Throughput[1];
        AtomicFile.write(file, channel -> {
            // Not closed: that would close the channel, which is yet to be flushed.
            Writer out = new OutputStreamWriter(Channels.newOutputStream(channel), StandardCharsets.UTF_8);
            PredictionFile lines = new PredictionFile(out, format, Math.min(top, net.card().classes().size()));
            try {
                lines.begin();
                result[0] = net.predict(images, views, top, lines);
            } catch (UncheckedIOException e) {
                throw e.getCause();
            }
            out.flush();
        });
        return result[0];
    }

    private static Format format(Path file) {
        String name = file.toString().toLowerCase(Locale.ROOT);
        if (name.endsWith(".csv")) {
            return Format.CSV;
        }
        if (name.endsWith(".jsonl")) {
            return Format.JSONL;
        }
        throw UserError.usage("%s: the format is taken from the name, which must end with .csv or .jsonl", file);
    }

    private void begin() {
        if (format == Format.CSV) {
            StringBuilder line = new StringBuilder("file,error");
            for (int i = 1; i <= top; i++) {
                line.append(",class%d,probability%d".formatted(i, i));
            }
            line(line.toString());
        }
    }

    @Override
    public void prediction(Prediction p) {
        switch (format) {
            case CSV -> {
                StringBuilder line = new StringBuilder(Csv.cell(p.file())).append(',');
                p.top().forEach(r -> line.append(',').append(Csv.cell(r.name())).append(',')
                        .append((float) r.probability()));
                line(line.toString());
            }
            case JSONL -> {
                ObjectNode node = JSON.createObjectNode().put("file", p.file());
                p.top().forEach(r -> node.withArray("top").addObject().put("class", r.name())
                        .put("probability", (float) r.probability()));
                line(json(node));
            }
        }
    }

    @Override
    public void damaged(DamagedImage image) {
        switch (format) {
            case CSV -> line(Csv.cell(image.file()) + "," + Csv.cell(image.reason()) + ",".repeat(2 * top));
            case JSONL -> line(json(JSON.createObjectNode().put("file", image.file()).put("error", image.reason())));
        }
    }

    private static String json(ObjectNode node) {
        try {
            return JSON.writeValueAsString(node);
        } catch (JacksonException e) {
            throw new IllegalStateException(e);
        }
    }

    private void line(String text) {
        try {
            out.write(text);
            out.write('\n');
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
