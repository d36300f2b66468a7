package io.firn.study;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;

/**
 * What came of a study of scaling, for one baseline.
 *
 * @param declared     how the verdict is made, as said before the runs
 * @param coefficients that scored best on the grid, or were given
 * @param failed       runs that did not come to their end, each with its reason
 * @param verdict      in a sentence
 * @param configs      files that {@code firn train --config} takes
 */
public record ScalingResult(String baseline, List<String> declared, Coefficients coefficients, List<Point> points,
                            List<String> failed, String verdict, List<String> configs) {

    /**
     * A net of the study.
     *
     * @param way          {@code baseline}, {@code grid}, {@code depth}, {@code width}, {@code resolution} or {@code compound}
     * @param cost         multiply-adds over the baseline's
     * @param multiplyAdds of one image's forward pass
     * @param bytes        of memory while it trains
     * @param steps        that it was trained
     * @param top1         on validation images, of each seed's last weights, from 0 to 1
     * @param mean         of top1
     * @param imagesPerS   trained on in a second: the median over steps and seeds, as the runs went beside each other
     */
    public record Point(String name, String way, double depth, double width, int resolution, long parameters,
                        @JsonProperty("multiply_adds") long multiplyAdds, double cost, long bytes, long steps,
                        List<Double> top1, double mean, @JsonProperty("images_per_s") double imagesPerS) {
    }
}
