package io.firn.cli;

import static io.firn.cli.CommandLineRun.fields;
import static org.assertj.core.api.Assertions.assertThat;

import io.firn.train.TinyData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jsoup.Jsoup;
import org.jsoup.nodes.Document;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code firn report} on a real run, and what goes wrong. */
class ReportCommandTest {
    @TempDir
    static Path shared;
    private static Path run;

    @TempDir
    private Path folder;

    @BeforeAll
    static void train() {
        run = shared.resolve("run");
        var trained = CommandLineRun.here("train", "--data", TinyData.idx(shared.resolve("data"), 40, 20, 4), "--model",
                "resnet20", "--depth", 0.3, "--batch", 8, "--precision", "fp32", "--max-steps", 7, "--output", run);
        assertThat(trained.code()).as(trained.err()).isZero();
    }

    private static Document page(Path file) throws IOException {
        return Jsoup.parse(Files.readString(file));
    }

    @Test
    void aTrainingEndsWithAReportThatLacksNothing() throws IOException {
        Document page = page(run.resolve("report.html"));
        assertThat(page.select("main > section").eachAttr("id")).containsExactly("summary", "curves", "confusion", "classes",
                "images", "calibration", "memory", "launches", "environment");
        assertThat(page.select("div.notice")).isEmpty();
        assertThat(page.select("#environment pre").text()).startsWith("firn train --data ").contains("--max-steps 7");
        assertThat(page.select("#images img")).hasSizeGreaterThan(19);
    }

    @Test
    void severalRunsGoIntoOneFile() throws IOException {
        Path both = folder.resolve("both.html");
        Path copy = Files.createDirectory(folder.resolve("copy"));
        Files.copy(run.resolve("metrics.jsonl"), copy.resolve("metrics.jsonl"));
        var r = CommandLineRun.of("report", run.toString(), copy.toString(), "--output", both.toString(), "--json");
        assertThat(r.code()).as(r.err()).isZero();
        assertThat(fields(r.json())).containsExactly("report", "runs", "remarks");
        assertThat(r.json().get("remarks").toString()).contains("copy: plan.json is not there");
        assertThat(page(both).select("#summary tbody").first().select("tr")).hasSize(2);
    }

    @Test
    void whatIsWrongIsOneLineWithItsCode() {
        var none = CommandLineRun.of("report", folder.toString());
        assertThat(none.code()).isEqualTo(3);
        assertThat(none.err()).contains("holds no run").hasLineCount(1);
        assertThat(folder.resolve("report.html")).doesNotExist();
        assertThat(CommandLineRun.of("report").code()).isEqualTo(2);
        var unwritable = CommandLineRun.of("report", run.toString(), "--output", folder.resolve("none/page.html").toString());
        assertThat(unwritable.code()).isOne();
        assertThat(unwritable.err()).contains("cannot write " + folder.resolve("none/page.html"));
    }
}
