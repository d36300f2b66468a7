package io.firn.train;

import io.firn.files.AtomicFile;
import io.firn.report.Calibration;
import io.firn.report.Confusion;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * How good a network is, class by class, and how far its confidence can be trusted.
 *
 * @param classes     names by label
 * @param calibration of the probability of the class that is predicted
 */
public record Assessment(Evaluation evaluation, List<String> classes, Confusion confusion, Calibration calibration) {

    /** The confusion matrix as CSV: a row for each label, a column for each class that it was taken for; images. */
    public void writeConfusion(Path file) {
        AtomicFile.write(file, channel -> {
            // Not closed: that would close the channel, which is yet to be flushed.
            Writer out = new OutputStreamWriter(Channels.newOutputStream(channel), StandardCharsets.UTF_8);
            line(out, "label", classes);
            for (int label = 0; label < classes.size(); label++) {
                int row = label;
                line(out, classes.get(label), IntStream.range(0, classes.size())
                        .mapToObj(c -> String.valueOf(confusion.count(row, c))).toList());
            }
            out.flush();
        });
    }

    private static void line(Writer out, String first, List<String> rest) throws IOException {
        out.write(Csv.cell(first) + "," + rest.stream().map(Csv::cell).collect(Collectors.joining(",")) + "\n");
    }
}
