package io.firn.report;

import static j2html.TagCreator.div;
import static j2html.TagCreator.each;
import static j2html.TagCreator.h2;
import static j2html.TagCreator.h3;
import static j2html.TagCreator.p;
import static j2html.TagCreator.section;
import static j2html.TagCreator.table;
import static j2html.TagCreator.tbody;
import static j2html.TagCreator.td;
import static j2html.TagCreator.th;
import static j2html.TagCreator.thead;
import static j2html.TagCreator.tr;

import j2html.tags.DomContent;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.IntStream;

/** Parts that sections share. j2html escapes all text and attributes; nothing here or in the sections is put in raw. */
final class Html {
    private Html() {
    }

    static DomContent part(String id, String title, DomContent... content) {
        return section(h2(title), each(content)).withId(id);
    }

    /**
     * A part that every run has one of, side by side where there is room.
     *
     * @param card what a run shows; empty leaves the run out, and the part where all are
     */
    static Optional<DomContent> perRun(String id, String title, String about, List<RunFiles> runs,
                                       Function<RunFiles, Optional<DomContent>> card) {
        List<DomContent> cards = runs.stream().flatMap(r -> card.apply(r).stream().map(c -> runs.size() == 1
                ? div(c).withClass("card") : div(h3(r.name()).withClass("run"), c).withClass("card")))
                .map(DomContent.class::cast).toList();
        return cards.isEmpty() ? Optional.empty() : Optional.of(part(id, title, p(about).withClass("about"),
                div(each(cards.toArray(DomContent[]::new))).withClass("runs")));
    }

    /**
     * A table that scrolls by itself where it is too wide or too long. A heading that begins with ">" is over numbers,
     * which are aligned to the right.
     */
    static DomContent rows(List<String> headings, List<List<String>> rows) {
        List<Boolean> right = headings.stream().map(h -> h.startsWith(">")).toList();
        return scroll(table(
                thead(tr(each(headings, h -> h.startsWith(">") ? th(h.substring(1)).withClass("number").attr("scope", "col")
                        : th(h).attr("scope", "col")))),
                tbody(each(rows, row -> tr(each(IntStream.range(0, row.size()).mapToObj(i -> (DomContent) (i == 0
                        ? th(row.get(i)).attr("scope", "row").withCondClass(right.get(i), "number")
                        : td(row.get(i)).withCondClass(right.get(i), "number"))).toArray(DomContent[]::new)))))));
    }

    /** Something that may be wider than the screen; it can be focused, so that the keyboard scrolls it. */
    static DomContent scroll(DomContent wide) {
        return div(wide).withClass("scroll").withTabindex(0);
    }
}
