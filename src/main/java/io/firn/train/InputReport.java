package io.firn.train;

import java.util.List;
import java.util.Optional;

/**
 * What {@code firn bench --input} measured.
 *
 * @param data       the set's name
 * @param images     in it
 * @param resolution pixels of the side of what a network sees
 * @param workers    threads that read and decode
 * @param stages     by how much of the way they go: {@code decode}, then {@code decode+resize+augment}
 * @param model      images/s of the model's step with its data in memory; empty without a model
 * @param limit      {@code input} or {@code model}, whichever is slower; empty without a model
 */
public record InputReport(String data, int images, int batch, int resolution, int resize, String augment, int workers,
                          List<Stage> stages, Optional<Model> model, Optional<String> limit) {

    public InputReport {
        stages = List.copyOf(stages);
    }

    /**
     * A part of the way from file to batch.
     *
     * @param imagesPerS     of all workers, by the clock
     * @param perWorker      the same for one of them
     * @param perCpuSecond   images for each second of processor time that this process took, which other load on the machine
     *                       changes little: what one undisturbed core yields
     */
    public record Stage(String name, int images, double imagesPerS, double perWorker, double perCpuSecond) {
    }

    /** The step that the input has to keep up with. */
    public record Model(String name, String mode, String device, String precision, int threads, double imagesPerS) {
    }
}
