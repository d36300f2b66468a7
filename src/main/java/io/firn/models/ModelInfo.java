package io.firn.models;

/**
 * One line of {@code firn models}.
 *
 * @param parameters   trainable scalars, with the model's own number of classes
 * @param multiplyAdds of one image's forward pass at {@code resolution}
 * @param resolution   pixels of the side of the model's own square input
 */
public record ModelInfo(String name, long parameters, long multiplyAdds, int resolution) {
}
