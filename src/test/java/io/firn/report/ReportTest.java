package io.firn.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.abort;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.firn.error.UserError;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jsoup.Jsoup;
import org.jsoup.nodes.Document;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The page as a browser's parser sees it: what is shown, what is missing, and that files cannot put markup into it. */
class ReportTest {
    private static final String HOSTILE = "</script><img src=x onerror=alert(1)>\"'&<b>";
    private static final String PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==";
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    private Path folder;
    private Path run;

    @BeforeEach
    void aRunOfTwoEpochs() throws IOException {
        run = folder.resolve("run");
        write(run, "metrics.jsonl", """
                {"kind":"step","step":1,"epoch":0,"loss":2.5,"lr":0.1,"images_per_s":100.0}
                {"kind":"step","step":2,"epoch":0,"loss":1.5,"lr":0.1,"images_per_s":300.0}
                {"kind":"epoch","epoch":0,"train_loss":2.0,"val_loss":1.25,"val_top1":0.5,"val_top5":1.0,"seconds":1.5}
                {"kind":"step","step":3,"epoch":1,"loss":"NaN","lr":0.05,"images_per_s":200.0}
                {"kind":"epoch","epoch":1,"train_loss":1.0,"val_loss":1.75,"val_top1":0.75,"val_top5":1.0,"seconds":1.5}
                """);
        write(run, "config.toml", "model = \"resnet20\"\nlr = 0.1\nmean = [0.5]\n");
        write(run, "plan.json", """
                {"model":"resnet20","target":"cpu","precision":"fp32","batch":8,"resolution":12,"parameters":1234,
                 "trainable_parameters":1234,"predicted_ms":3.0,
                 "memory":{"weights":1000000,"gradients":1,"optimizer":500000,"activations":2,"workspace":3,"total":4000000},
                 "launches":[{"name":"conv1","op":"conv","phase":"forward","kernel":"onednn","flops":5,"bytes":2000000,
                   "predicted_ms":1.0,"live":500000},
                  {"name":"conv1.grad","op":"wgrad","phase":"backward","kernel":"onednn","flops":5,"bytes":1,
                   "predicted_ms":2.0,"live":2500000},
                  {"name":"conv1.update","op":"sgd","phase":"optimizer","kernel":"firn","flops":0,"bytes":1,
                   "predicted_ms":0.5,"live":2500000},
                  {"name":"conv0.grad","op":"wgrad","phase":"backward","kernel":"onednn","flops":5,"bytes":1,
                   "predicted_ms":0.2,"live":2500000},
                  {"name":"conv0.update","op":"sgd","phase":"optimizer","kernel":"firn","flops":0,"bytes":1,
                   "predicted_ms":0.1,"live":2500000}]}
                """);
        write(run, "predictions.jsonl", """
                {"kind":"validation","epoch":1,"step":3,"images":4,"loss":1.75,"top1":0.75,"classes":["cat",%s]}
                {"kind":"prediction","image":0,"label":0,"predicted":0,"confidence":0.9,"label_probability":0.9}
                {"kind":"prediction","image":1,"label":0,"predicted":1,"confidence":0.8,"label_probability":0.2}
                {"kind":"prediction","image":2,"label":1,"predicted":1,"confidence":0.7,"label_probability":0.7}
                {"kind":"prediction","image":3,"label":1,"predicted":1,"confidence":1.0,"label_probability":1.0}
                {"kind":"picture","image":1,"file":%s,"picture":"%s"}
                {"kind":"picture","image":2,"file":"b","picture":"javascript:alert(1)"}
                """.formatted(JSON.writeValueAsString(HOSTILE), JSON.writeValueAsString(HOSTILE), PIXEL));
        write(run, "environment.jsonl", """
                {"started":"2026-01-01T00:00:00Z","command":["firn","train","--data",%s],"step":0,"machine":{"processor":"<i>"}}
                """.formatted(JSON.writeValueAsString(HOSTILE)));
        write(run, "resources.jsonl", """
                {"step":1,"seconds":2.0,"images_per_s":100.0,"input_wait":0.1,"resident_bytes":5000000}
                {"step":3,"seconds":6.0,"images_per_s":200.0,"input_wait":0.3,"resident_bytes":4000000}
                """);
        write(run, "weights.safetensors", "");
    }

    private static void write(Path folder, String file, String content) throws IOException {
        Files.createDirectories(folder);
        Files.writeString(folder.resolve(file), content);
    }

    private static Document page(Path... runs) {
        return Jsoup.parse(Report.of(List.of(runs)).html());
    }

    private static JsonNode charts(Document page) throws IOException {
        return JSON.readTree(page.getElementById("charts").data());
    }

    private static List<List<String>> rows(Document page, String section) {
        return page.select("#" + section + " table").first().select("tbody tr").stream()
                .map(tr -> tr.select("th,td").eachText()).toList();
    }

    @Test
    void itShowsWhatTheFilesHold() throws IOException {
        Document page = page(run);
        assertThat(page.title()).isEqualTo("run – Firn");
        assertThat(page.select("main > section").eachAttr("id")).containsExactly("summary", "curves", "confusion", "classes",
                "images", "calibration", "memory", "launches", "environment");
        assertThat(page.select("nav a").eachAttr("href")).allMatch(h -> page.getElementById(h.substring(1)) != null);
        assertThat(page.select(".tiles dt, .tiles dd").eachText()).containsSequence("Best top-1", "75.00 %")
                .containsSequence("Lowest validation loss", "1.2500").containsSequence("Parameters", "1,234")
                .containsSequence("Input wait", "25.00 %").containsSequence("Memory planned, MB", "4.0")
                .containsSequence("Memory resident, MB", "5.0");
        assertThat(page.select("div.notice")).isEmpty();

        JsonNode loss = charts(page).get(0);
        assertThat(loss.get("series").get(0).get("x").toString()).isEqualTo("[1.0,2.0,3.0]");
        assertThat(loss.get("series").get(0).get("y").toString()).isEqualTo("[2.5,1.5,null]");
        assertThat(loss.get("series").get(1).get("x").toString()).isEqualTo("[2.0,3.0]");
        assertThat(loss.get("series").get(1).get("y").toString()).isEqualTo("[1.25,1.75]");

        assertThat(rows(page, "confusion")).containsExactly(List.of("cat", "1", "1"), List.of(HOSTILE, "·", "2"));
        assertThat(rows(page, "classes")).containsExactly(List.of("cat", "1.000", "0.500", "0.667", "2"),
                List.of(HOSTILE, "0.667", "1.000", "0.800", "2"), List.of("mean", "0.833", "0.750", "0.733", "4"));
        // |0.9 − 1| and |0.7 − 1| and |0.8 − 0| and |1 − 1|, each in a bin of its own.
        assertThat(page.select("#calibration .figure").text()).isEqualTo("ECE 30.00 %");
        assertThat(rows(page, "launches")).extracting(List::getFirst).containsExactly("conv1.grad", "conv1", "conv1.update",
                "conv0.grad", "conv0.update");
        JsonNode memory = charts(page).get(charts(page).size() - 1);
        assertThat(memory.get("series").get(0).get("y").toString()).isEqualTo("[2.0,4.0,4.0,4.0,4.0]");
        assertThat(memory.get("spans").toString()).isEqualTo(
                "[{\"name\":\"forward\",\"from\":0.5,\"to\":1.5},{\"name\":\"backward\",\"from\":1.5,\"to\":4.5},"
                        + "{\"name\":\"optimizer\",\"from\":4.5,\"to\":5.5}]");
        assertThat(page.select("#launches").text()).contains("not measured");
    }

    @Test
    void everyChartHasATitleAUnitAndWords() throws IOException {
        Document page = page(run);
        assertThat(charts(page)).hasSize(6).allSatisfy(c -> {
            var chart = page.getElementById(c.get("id").asText());
            assertThat(chart.attr("aria-label")).isNotBlank();
            assertThat(chart.parent().select("figcaption .title, figcaption .unit").eachText()).hasSize(2);
        });
    }

    @Test
    void filesCannotPutMarkupIntoThePage() throws IOException {
        Files.writeString(run.resolve("config.toml"), "model = '''" + HOSTILE + "'''\n\"<u>\" = \"<s>\"\n");
        Path other = folder.resolve("<em>");
        write(other, "config.toml", "model = \"plain20\"\n");
        for (Document page : List.of(page(run), page(run, other))) {
            assertThat(page.select("script")).hasSize(2);
            assertThat(page.select("b, i, u, s, em")).isEmpty();
            assertThat(page.getAllElements().stream().flatMap(e -> e.attributes().asList().stream()))
                    .noneMatch(a -> a.getKey().startsWith("on"));
            assertThat(page.select("img").eachAttr("src")).isNotEmpty().allMatch(PIXEL::equals);
            assertThat(page.select("#images figure").eachAttr("title")).contains(HOSTILE);
            assertThat(page.select("#environment pre").text()).contains("firn train --data '</script>");
        }
    }

    @Test
    void nothingIsFetched() {
        Document page = page(run);
        assertThat(page.select("link, iframe, object, embed, base, script[src]")).isEmpty();
        assertThat(page.select("meta[http-equiv=Content-Security-Policy]").attr("content")).startsWith("default-src 'none'");
        assertThat(page.select("style").html()).doesNotContain("url(", "@import");
    }

    @Test
    void aKilledRunShowsWhatIsThere() throws IOException {
        for (String file : List.of("weights.safetensors", "predictions.jsonl", "environment.jsonl", "config.toml")) {
            Files.delete(run.resolve(file));
        }
        Files.writeString(run.resolve("plan.json"), "{\"model\":");
        String torn = Files.readString(run.resolve("metrics.jsonl"));
        Files.writeString(run.resolve("metrics.jsonl"), torn + "{\"kind\":\"step\",\"step\":4,\"ep");
        Report report = Report.of(List.of(run));
        assertThat(report.remarks()).hasSize(6)
                .contains("metrics.jsonl has a line that cannot be read (a killed run may end in one): left out.")
                .contains("The run has not come to its end: there is no weights.safetensors.")
                .anyMatch(m -> m.startsWith("plan.json cannot be read (Unexpected end-of-input"))
                .anyMatch(m -> m.equals("predictions.jsonl is not there: no classes, calibration and images."));
        Document page = Jsoup.parse(report.html());
        assertThat(page.select("main > section").eachAttr("id")).containsExactly("summary", "curves");
        assertThat(page.select("#summary .notice li").eachText()).isEqualTo(report.remarks());
    }

    @Test
    void aFolderOfNoRunIsRefused() throws IOException {
        Path empty = Files.createDirectory(folder.resolve("empty"));
        assertThatThrownBy(() -> Report.of(List.of(run, empty))).isInstanceOfSatisfying(UserError.class,
                e -> assertThat(e.kind()).isEqualTo(UserError.Kind.DATA)).hasMessageContaining(empty + " holds no run");
        assertThatThrownBy(() -> Report.of(List.of(folder.resolve("none")))).isInstanceOf(UserError.class)
                .hasMessageContaining("is no folder");
    }

    @Test
    void runsAreShownSideBySide() throws IOException {
        Path other = folder.resolve("other/run");
        write(other, "metrics.jsonl", "{\"kind\":\"step\",\"step\":1,\"loss\":3,\"lr\":0.2,\"images_per_s\":50}\n");
        write(other, "config.toml", "model = \"resnet20\"\nlr = 0.2\nmean = [0.5]\n");
        Document page = page(run, other);
        assertThat(page.select("h1").text()).isEqualTo(run + ", " + other);
        assertThat(page.select("#summary table").get(1).select("tbody tr").eachText()).containsExactly("--lr 0.1 0.2");
        assertThat(charts(page).get(0).get("series")).extracting(s -> s.get("name").asText())
                .containsExactly(run + ", training", run + ", validation", other + ", training");
        assertThat(page.select("#environment .card")).hasSize(2);
        assertThat(page.select("#confusion .card")).hasSize(1);
    }

    @Test
    void aLongRunIsThinnedOut() throws IOException {
        StringBuilder lines = new StringBuilder();
        for (int step = 1; step <= 5000; step++) {
            lines.append("{\"kind\":\"step\",\"step\":%d,\"loss\":%d,\"lr\":0.1,\"images_per_s\":%d}\n".formatted(step, step % 10,
                    step % 2 == 0 ? 100 : 300));
        }
        Files.writeString(run.resolve("metrics.jsonl"), lines);
        Curves c = Curves.read(run.resolve("metrics.jsonl"));
        assertThat(c.points()).hasSizeBetween(200, 400);
        assertThat(c.points().getLast().step()).isEqualTo(5000);
        assertThat(c.points().stream().mapToInt(Curves.Point::steps).sum()).isEqualTo(5000);
        assertThat(c.points().stream().mapToDouble(p -> p.loss() * p.steps()).sum() / 5000).isCloseTo(4.5, within(1e-9));
        // As many images in 1/100 s as in 1/300 s.
        assertThat(c.points().getFirst().imagesPerS()).isCloseTo(150, within(1e-9));
        assertThat(c.points().getFirst().least()).isZero();
        assertThat(c.points().getFirst().most()).isEqualTo(9);
    }

    @Test
    void withManyClassesTheMostMistakenAreShown() throws IOException {
        StringBuilder lines = new StringBuilder("{\"kind\":\"validation\",\"classes\":[\"0\"");
        for (int i = 1; i < 30000; i++) {
            lines.append(",\"").append(i).append('"');
        }
        lines.append("]}\n");
        for (int[] p : new int[][] {{29999, 7}, {29999, 7}, {7, 7}, {3, 3}, {30000, 0}}) {
            lines.append("{\"kind\":\"prediction\",\"image\":1,\"label\":%d,\"predicted\":%d,\"confidence\":1,\"label_probability\":0}\n"
                    .formatted(p[0], p[1]));
        }
        Files.writeString(run.resolve("predictions.jsonl"), lines);
        Document page = page(run);
        assertThat(rows(page, "confusion")).hasSize(20).anyMatch(r -> r.getFirst().equals("29999"));
        assertThat(page.select("#summary .notice").text()).contains("predictions.jsonl has a line that cannot be read");
    }

    @Test
    void chromiumDrawsEveryChart() throws IOException, InterruptedException {
        Optional<String> chromium = Stream.of(System.getenv("PATH").split(File.pathSeparator))
                .flatMap(p -> Stream.of("chromium", "chromium-browser", "google-chrome").map(n -> p + "/" + n))
                .filter(p -> Files.isExecutable(Path.of(p))).findFirst();
        if (chromium.isEmpty()) {
            System.out.println("skipped: no chromium on the PATH to open the report with");
            abort("no chromium");
        }
        Path html = Files.writeString(folder.resolve("report.html"), Report.of(List.of(run)).html());
        Path dom = folder.resolve("dom.html");
        Process browser = new ProcessBuilder(chromium.get(), "--headless", "--no-sandbox", "--disable-gpu",
                "--user-data-dir=" + folder.resolve("profile"), "--enable-logging=stderr", "--dump-dom", html.toUri().toString())
                .redirectOutput(dom.toFile()).redirectError(folder.resolve("log.txt").toFile()).start();
        assertThat(browser.waitFor(60, TimeUnit.SECONDS)).isTrue();
        Document page = Jsoup.parse(Files.readString(dom));
        assertThat(Files.readString(folder.resolve("log.txt")).lines().filter(l -> l.contains("CONSOLE"))).isEmpty();
        assertThat(page.select(".chart .u-wrap canvas")).hasSize(6);
    }
}
