package io.firn.data;

import java.util.Optional;

/** A data set's parts as its files divide it: to train on, and to validate with where there is such a part. */
public record Splits(Dataset train, Optional<Dataset> validation) {
}
