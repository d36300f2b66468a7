package io.firn.report;

import static j2html.TagCreator.div;
import static j2html.TagCreator.figcaption;
import static j2html.TagCreator.figure;
import static j2html.TagCreator.span;
import static j2html.TagCreator.text;

import com.fasterxml.jackson.annotation.JsonInclude;
import j2html.tags.DomContent;
import java.util.ArrayList;
import java.util.List;

/**
 * A chart as the page's script draws it; the script knows nothing of trainings.
 *
 * @param x      title of the axis below
 * @param digits after the point, of the values
 * @param range  of both axes; null for what the data need
 * @param spans  parts of the x axis that have a name
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
record Chart(String id, String x, int digits, double[] range, List<Series> series, List<Span> spans) {

    enum Kind { LINE, POINTS, STEPS, BARS }

    /**
     * A line or its like. Values that are not finite are left out.
     *
     * @param color one of the page's colours, by number
     * @param low   lower ends of a band around the line; null for none
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record Series(String name, int color, Kind kind, boolean dashed, List<Double> x, List<Double> y, List<Double> low,
                  List<Double> high) {
        Series(String name, int color, Kind kind, boolean dashed, List<Double> x, List<Double> y) {
            this(name, color, kind, dashed, x, y, null, null);
        }

        /** Whether there is anything to draw. */
        boolean isEmpty() {
            return y.stream().noneMatch(v -> v != null && Double.isFinite(v));
        }
    }

    record Span(String name, double from, double to) {
    }

    /** All charts of a page, in the order in which they were placed. */
    static final class Charts {
        private final List<Chart> all = new ArrayList<>();

        /**
         * Places a chart.
         *
         * @param unit    of the values
         * @param summary what it shows, in words, for those who do not see it
         */
        DomContent place(String title, String unit, String summary, String x, int digits, double[] range,
                         List<Series> series, List<Span> spans) {
            List<Series> drawn = series.stream().filter(s -> !s.isEmpty()).toList();
            var caption = figcaption(span(title).withClass("title"), text(" "), span(unit).withClass("unit"));
            if (drawn.isEmpty()) {
                return figure(caption, div("No values.").withClass("none"));
            }
            Chart chart = new Chart("chart-" + all.size(), x, digits, range, drawn, spans);
            all.add(chart);
            return figure(caption, div().withId(chart.id).withClass("chart").attr("role", "img")
                    .attr("aria-label", title + ", " + unit + ". " + summary));
        }

        List<Chart> all() {
            return all;
        }
    }
}
