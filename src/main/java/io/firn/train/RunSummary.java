package io.firn.train;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;

/**
 * What came of a training.
 *
 * @param run        the folder with all results; null of a rank that is not the first, and writes none
 * @param epochs     begun or whole
 * @param steps      of the run, those of earlier processes included
 * @param trainLoss  mean of the last epoch's steps; null where this process made none
 * @param valLoss    at the end; null without validation
 * @param valTop1    at the end, from 0 to 1; null without validation
 * @param bestTop1   of all epochs; null without validation
 * @param seconds    that this process trained and validated
 * @param imagesPerS trained on in a second, validation and checkpoints left out
 * @param stepShare  share of the training time that the device's steps took; the rest is the loop's own
 * @param inputWait  share of the training time in which the loop waited for images
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record RunSummary(String run, String model, int epochs, long steps, @JsonProperty("train_loss") Double trainLoss,
                         @JsonProperty("val_loss") Double valLoss, @JsonProperty("val_top1") Double valTop1,
                         @JsonProperty("best_top1") Double bestTop1, double seconds,
                         @JsonProperty("images_per_s") double imagesPerS, @JsonProperty("step_share") double stepShare,
                         @JsonProperty("input_wait") double inputWait) {
}
