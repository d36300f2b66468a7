package io.firn.cli;

import io.firn.finetune.Advice;
import io.firn.finetune.AdviceRows;
import java.util.List;

/** What was measured of a data set, for people: what to know first, tables, and the proposal last. */
final class AdviceText {
    private AdviceText() {
    }

    static String of(Advice a) {
        StringBuilder text = new StringBuilder();
        a.first().forEach(line -> text.append("! ").append(line).append('\n'));
        text.append(AdviceRows.about(a)).append("\n\n");
        text.append(table(AdviceRows.similarity(a))).append('\n');
        text.append(AdviceRows.curve(a)).append('\n').append(AdviceRows.shift(a)).append("\n\n");
        text.append(AdviceRows.priced(a)).append('\n').append(table(AdviceRows.arms(a))).append('\n');
        if (a.confirmation() != null) {
            text.append(table(AdviceRows.trials(a))).append('\n');
        }
        return text.append(a.line()).append('\n').toString();
    }

    private static Console.Table table(List<List<String>> rows) {
        var table = new Console.Table(rows.getFirst().toArray(String[]::new));
        rows.subList(1, rows.size()).forEach(r -> table.row(r.toArray()));
        return table;
    }
}
