package io.firn.train;

import com.fasterxml.jackson.annotation.JsonIgnore;
import io.firn.data.DamagedImage;
import java.util.List;

/**
 * What a network says about images.
 *
 * @param classes names by place in the logits
 * @param images  in the order given, damaged ones left out
 * @param damaged images that could not be read
 */
public record Predictions(List<String> classes, List<Prediction> images, @JsonIgnore List<DamagedImage> damaged) {
    public Predictions {
        classes = List.copyOf(classes);
        images = List.copyOf(images);
        damaged = List.copyOf(damaged);
    }
}
