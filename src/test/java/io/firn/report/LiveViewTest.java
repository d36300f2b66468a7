package io.firn.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.error.UserError;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.jsoup.Jsoup;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The page of a run that goes on: who may see it, and that it shows what the folder holds by now. */
class LiveViewTest {
    private static final String STEP = "{\"kind\":\"step\",\"step\":%d,\"epoch\":0,\"loss\":2.5,\"lr\":0.1,\"images_per_s\":100.0}\n";

    @TempDir
    private Path run;
    private final HttpClient client = HttpClient.newHttpClient();
    private LiveView view;

    @BeforeEach
    void listen() {
        view = LiveView.listen(0, Optional.of("secret"));
    }

    @AfterEach
    void close() {
        view.close();
        client.close();
    }

    @Test
    void showsTheRunAsItGrows() throws Exception {
        assertThat(get(view.address()).body()).contains("being prepared");
        view.show(run);
        assertThat(get(view.address()).body()).contains("being prepared");
        Path metrics = run.resolve("metrics.jsonl");
        Files.writeString(metrics, STEP.formatted(1));
        view.show(run);
        HttpResponse<String> page = get(view.address());
        assertThat(page.statusCode()).isEqualTo(200);
        assertThat(page.headers().firstValue("Cache-Control")).contains("no-store");
        assertThat(Jsoup.parse(page.body()).getElementById("state").text()).isEqualTo("Training, live");
        assertThat(Jsoup.parse(page.body()).select("meta[http-equiv=Content-Security-Policy]").attr("content"))
                .contains("connect-src 'self'");
        assertThat(page.body()).contains("firn:changed");
        assertThat(page.body()).doesNotContain("has not come to its end");
        int before = charts(page).length();
        Files.writeString(metrics, STEP.formatted(2) + STEP.formatted(3), StandardOpenOption.APPEND);
        assertThat(charts(get(view.address()))).as("made anew at most every two seconds").hasSize(before);
        view.show(run);
        assertThat(charts(get(view.address())).length()).isGreaterThan(before);
    }

    @Test
    void saysWhereTheRunStands() throws Exception {
        Files.writeString(run.resolve("metrics.jsonl"), """
                {"kind":"step","step":1,"epoch":0,"loss":2.5,"lr":0.1,"images_per_s":50.0}
                {"kind":"step","step":2,"epoch":0,"loss":1.5,"lr":0.05,"images_per_s":50.0}
                """);
        Files.writeString(run.resolve("resources.jsonl"), """
                {"step":1,"seconds":4.0,"images_per_s":50.0,"input_wait":0.02,"resident_bytes":5000000}
                {"step":2,"seconds":4.0,"images_per_s":48.0,"input_wait":0.4,"resident_bytes":5000000}
                """);
        Files.writeString(run.resolve("config.toml"), "batch = 100\ngrad-accumulation = 2\n");
        Files.writeString(run.resolve("environment.jsonl"), "{\"step\":0,\"steps\":12}\n");
        view.show(run);
        assertThat(Jsoup.parse(get(view.address()).body()).select(".tiles dt, .tiles dd").eachText())
                .startsWith("Step", "2 of 12", "Time left", "40.0 s", "Loss now", "1.5000", "Rate now", "0.05000", "Images/s now",
                        "48.0", "What limits", "input (40 % input wait)");
        assertThat(Report.of(List.of(run)).html()).doesNotContain("Time left");
    }

    @Test
    void aReportThatStandsByItselfMayFetchNothing() throws IOException {
        Files.writeString(run.resolve("metrics.jsonl"), STEP.formatted(1));
        assertThat(Report.of(List.of(run)).html()).doesNotContain("connect-src", "fetch(");
    }

    @Test
    void refusesWhoLacksTheToken() throws Exception {
        view.show(run);
        URI own = view.address();
        for (String query : new String[] {"", "?token=", "?token=secret2", "?token=secre", "?other=secret"}) {
            HttpResponse<String> answer = get(URI.create("http://127.0.0.1:" + own.getPort() + "/" + query));
            assertThat(answer.statusCode()).as(query).isEqualTo(403);
            assertThat(answer.body()).doesNotContain("secret");
        }
        try (LiveView open = LiveView.listen(0, Optional.empty())) {
            assertThat(get(open.address()).statusCode()).isEqualTo(200);
        }
    }

    /** A page of another site may make the browser ask here, under its own name. */
    @Test
    void refusesOtherHostNames() throws IOException {
        assertThat(raw("GET /?token=secret HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")).startsWith("HTTP/1.1 200");
        assertThat(raw("GET /?token=secret HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n"))
                .startsWith("HTTP/1.1 403");
    }

    @Test
    void canOnlyBeRead() throws Exception {
        assertThat(client.send(HttpRequest.newBuilder(view.address()).POST(HttpRequest.BodyPublishers.ofString("x")).build(),
                HttpResponse.BodyHandlers.ofString()).statusCode()).isEqualTo(405);
        assertThat(get(view.address().resolve("/config.toml?token=secret")).statusCode()).isEqualTo(404);
        assertThat(get(view.address().resolve("/../config.toml?token=secret")).statusCode()).isEqualTo(404);
    }

    @Test
    void saysWhatIsWrongWithAPortOrToken() {
        assertUsage(() -> LiveView.listen(view.address().getPort(), Optional.empty()), "cannot listen");
        assertUsage(() -> LiveView.listen(70_000, Optional.empty()), "between 1 and 65535");
        assertUsage(() -> LiveView.listen(0, Optional.of("a b")), "--ui-token");
        assertThat(LiveView.randomToken()).hasSizeGreaterThan(20).isNotEqualTo(LiveView.randomToken());
    }

    private static void assertUsage(ThrowingCallable call, String message) {
        assertThatThrownBy(call).isInstanceOfSatisfying(UserError.class,
                e -> assertThat(e.kind()).isEqualTo(UserError.Kind.USAGE)).hasMessageContaining(message);
    }

    private static String charts(HttpResponse<String> page) {
        return Jsoup.parse(page.body()).getElementById("charts").data();
    }

    private HttpResponse<String> get(URI address) throws IOException, InterruptedException {
        return client.send(HttpRequest.newBuilder(address).build(), HttpResponse.BodyHandlers.ofString());
    }

    private String raw(String request) throws IOException {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), view.address().getPort())) {
            socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
