package io.firn.report;

import static j2html.TagCreator.dd;
import static j2html.TagCreator.div;
import static j2html.TagCreator.dl;
import static j2html.TagCreator.dt;
import static j2html.TagCreator.each;
import static j2html.TagCreator.h3;
import static j2html.TagCreator.li;
import static j2html.TagCreator.p;
import static j2html.TagCreator.ul;

import j2html.tags.DomContent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;

/**
 * A page about what several runs were made for, in the form of a run's report: words, facts, tables and charts. It needs no
 * network.
 *
 * @param kicker what kind of page it is, in small print above the title
 */
public record Sheet(String kicker, String title, List<Part> parts) {

    public Sheet {
        parts = List.copyOf(parts);
    }

    /** A section with a heading. */
    public record Part(String title, List<Block> blocks) {
        public Part {
            blocks = List.copyOf(blocks);
        }
    }

    /** What a section is made of. */
    public sealed interface Block {
    }

    /** A paragraph. */
    public record Words(String text) implements Block {
    }

    /** A list that stands out, under a heading of its own. */
    public record Notice(String title, List<String> lines) implements Block {
        public Notice {
            lines = List.copyOf(lines);
        }
    }

    /** A few numbers that count. */
    public record Facts(SequencedMap<String, String> values) implements Block {
        public Facts {
            values = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(values));
        }
    }

    /** A table; a heading that begins with ">" is over numbers. */
    public record Table(List<String> headings, List<List<String>> rows) implements Block {
        public Table {
            headings = List.copyOf(headings);
            rows = List.copyOf(rows);
        }
    }

    /** Charts side by side where there is room. */
    public record Plots(List<Plot> plots) implements Block {
        public Plots {
            plots = List.copyOf(plots);
        }
    }

    /**
     * A chart.
     *
     * @param unit    of the values
     * @param summary what it shows, in words
     * @param x       title of the axis below
     * @param digits  after the point, of the values
     */
    public record Plot(String title, String unit, String summary, String x, int digits, List<Line> lines) {
        public Plot {
            lines = List.copyOf(lines);
        }
    }

    /**
     * A line of a chart, or points.
     *
     * @param color one of the page's colours, by number
     */
    public record Line(String name, int color, boolean dashed, boolean points, List<Double> x, List<Double> y) {
        public Line {
            x = List.copyOf(x);
            y = List.copyOf(y);
        }
    }

    /**
     * The losses of a run by step, thinned out for drawing; empty where it has none.
     *
     * @param run a run's folder
     */
    public static SequencedMap<Long, Double> losses(Path run) throws IOException {
        SequencedMap<Long, Double> losses = new LinkedHashMap<>();
        Path metrics = run.resolve("metrics.jsonl");
        if (Files.isRegularFile(metrics)) {
            Curves.read(metrics).points().forEach(p -> losses.put(p.step(), p.loss()));
        }
        return losses;
    }

    /** The page. */
    public String html() {
        Chart.Charts charts = new Chart.Charts();
        List<Page.Part> all = new ArrayList<>();
        for (Part part : parts) {
            String id = "part-" + all.size();
            all.add(new Page.Part(id, part.title, Optional.of(Html.part(id, part.title,
                    part.blocks.stream().map(b -> content(b, charts)).toArray(DomContent[]::new)))));
        }
        return Page.of(kicker, title, all, charts, false);
    }

    private static DomContent content(Block block, Chart.Charts charts) {
        return switch (block) {
            case Words w -> p(w.text).withClass("about");
            case Notice n -> div(h3(n.title), ul(each(n.lines, l -> li(l)))).withClass("notice");
            case Facts f -> dl(each(f.values.entrySet(), e -> div(dt(e.getKey()), dd(e.getValue())))).withClass("tiles");
            case Table t -> div(Html.rows(t.headings, t.rows)).withClass("card");
            case Plots p -> div(each(p.plots, q -> div(charts.place(q.title, q.unit, q.summary, q.x, q.digits, null,
                    q.lines.stream().map(Sheet::series).toList(), null)).withClass("card"))).withClass("grid");
        };
    }

    private static Chart.Series series(Line l) {
        return new Chart.Series(l.name, l.color, l.points ? Chart.Kind.POINTS : Chart.Kind.LINE, l.dashed, l.x, l.y);
    }
}
