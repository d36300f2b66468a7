package io.firn.cli;

import io.firn.data.Inspection;
import io.firn.error.UserError;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code firn data verify}. */
@Command(name = "verify", header = "Decodes every image of a data set; fails where one is damaged.",
        footer = {"", "Example: firn data verify photos/train --val photos/val"})
final class DataVerifyCommand implements Runnable {
    @Mixin
    private DataMixin data;

    @Mixin
    private OutputMixin output;

    @Override
    public void run() {
        int workers = Runtime.getRuntime().availableProcessors();
        var found = data.read((splits, progress) -> Inspection.verify(splits, workers, progress));
        output.print(found, () -> text(found));
        if (!found.sound()) {
            throw UserError.data("%s: %s of %s images are damaged; training skips them", found.name(),
                    Console.count(found.damaged().size()), Console.count(found.images()));
        }
    }

    private static String text(Inspection.Verification v) {
        StringBuilder text = new StringBuilder();
        v.damaged().forEach(d -> text.append(d.file()).append(": ").append(d.reason()).append('\n'));
        if (v.sound()) {
            text.append("%s: all %s images decode%n".formatted(v.name(), Console.count(v.images())));
        }
        return text + "fingerprint " + v.fingerprint() + "\n";
    }
}
