package io.firn.report;

import static j2html.TagCreator.a;
import static j2html.TagCreator.body;
import static j2html.TagCreator.document;
import static j2html.TagCreator.each;
import static j2html.TagCreator.h1;
import static j2html.TagCreator.head;
import static j2html.TagCreator.header;
import static j2html.TagCreator.html;
import static j2html.TagCreator.main;
import static j2html.TagCreator.meta;
import static j2html.TagCreator.nav;
import static j2html.TagCreator.noscript;
import static j2html.TagCreator.p;
import static j2html.TagCreator.rawHtml;
import static j2html.TagCreator.script;
import static j2html.TagCreator.style;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.ser.std.StdSerializer;
import j2html.tags.DomContent;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.math.MathContext;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The page around the sections: everything that it needs is in it. */
final class Page {
    private static final String UPLOT = "/META-INF/resources/webjars/uplot/1.6.30/";
    /** Nothing may be fetched, from nowhere. */
    private static final String POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
            + "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
    /** A live page may fetch itself. */
    private static final String LIVE_POLICY = POLICY + "; connect-src 'self'";

    private Page() {
    }

    /** @param content empty leaves the part out */
    record Part(String id, String title, Optional<DomContent> content) {
    }

    /** What a live view shows before there is anything. */
    static String preparing() {
        return document(html(
                head(meta().withCharset("utf-8"), meta().attr("http-equiv", "refresh").withContent("2"),
                        meta().withName("viewport").withContent("width=device-width, initial-scale=1"),
                        meta().withName("color-scheme").withContent("light dark"), j2html.TagCreator.title("Firn"),
                        style(rawHtml(resource("report.css")))),
                body(header(p("Training").withClass("kicker"), h1("The run is being prepared…")))).withLang("en"));
    }

    /** @param live whether the page asks for itself again to show what is new */
    static String of(List<RunFiles> runs, String title, boolean live) {
        Chart.Charts charts = new Chart.Charts();
        List<Part> parts = List.of(
                new Part("summary", "Summary", Optional.of(SummarySection.of(runs, live))),
                new Part("curves", "Curves", CurvesSection.of(runs, charts)),
                new Part("confusion", "Confusion", ClassSections.confusion(runs)),
                new Part("classes", "Classes", ClassSections.classes(runs)),
                new Part("images", "Images", PictureSections.of(runs)),
                new Part("calibration", "Reliability", ClassSections.calibration(runs, charts)),
                new Part("memory", "Memory", PlanSections.memory(runs, charts)),
                new Part("launches", "Launches", PlanSections.launches(runs)),
                new Part("environment", "Environment", EnvironmentSection.of(runs)));
        String kicker = live ? "Training, live" : runs.size() == 1 ? "Training report"
                : "Report on %d runs".formatted(runs.size());
        return of(kicker, title, parts, charts, runs.size() == 1, live);
    }

    /**
     * A page of any parts.
     *
     * @param kicker what kind of page it is, above the title
     * @param single whether it is about one thing, so that what would stand side by side takes the whole width
     */
    static String of(String kicker, String title, List<Part> all, Chart.Charts charts, boolean single) {
        return of(kicker, title, all, charts, single, false);
    }

    private static String of(String kicker, String title, List<Part> all, Chart.Charts charts, boolean single,
                             boolean live) {
        List<Part> parts = all.stream().filter(part -> part.content.isPresent()).toList();
        return document(html(
                head(meta().withCharset("utf-8"),
                        meta().attr("http-equiv", "Content-Security-Policy").withContent(live ? LIVE_POLICY : POLICY),
                        meta().withName("viewport").withContent("width=device-width, initial-scale=1"),
                        meta().withName("color-scheme").withContent("light dark"),
                        j2html.TagCreator.title(title + " – Firn"),
                        style(rawHtml(resource(UPLOT + "dist/uPlot.min.css") + resource("report.css")))),
                body(header(p(kicker).withClass("kicker").withId("state"),
                                h1(title),
                                nav(each(parts, part -> a(part.title).withHref("#" + part.id)))
                                        .attr("aria-label", "Sections")),
                        main(noscript(p("The charts need JavaScript, which is switched off. All tables are here.")
                                        .withClass("notice")),
                                each(parts, part -> part.content.orElseThrow())),
                        // Data never reach the parser as markup: "<" does not occur in them.
                        script(rawHtml(json(charts.all()).replace("<", "\\u003c"))).withType("application/json")
                                .withId("charts"),
                        script(rawHtml("/* uPlot:\n" + resource(UPLOT + "LICENSE") + "*/\n"
                                + resource(UPLOT + "dist/uPlot.iife.min.js") + "\n" + resource("report.js")
                                + (live ? resource("live.js") : ""))))
                        .withCondClass(single, "single")
        ).withLang("en"));
    }

    /** What the page is made of, from the class path. */
    private static String resource(String name) {
        try (InputStream in = Page.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new IllegalStateException(name + " is not on the class path");
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Nine digits are more than a screen shows; what is not finite is a gap. */
    private static final class Drawn extends StdSerializer<Double> {
        private static final long serialVersionUID = 1L;

        Drawn() {
            super(Double.class);
        }

        @Override
        public void serialize(Double value, JsonGenerator json, SerializerProvider provider) throws IOException {
            if (Double.isFinite(value)) {
                json.writeNumber(new BigDecimal(value, new MathContext(9)).doubleValue());
            } else {
                json.writeNull();
            }
        }
    }

    private static String json(List<Chart> charts) {
        try {
            return JsonMapper.builder().addModule(new SimpleModule().addSerializer(Double.class, new Drawn())).build()
                    .writeValueAsString(new ArrayList<>(charts));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }
}
