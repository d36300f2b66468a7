package io.firn.train;

import io.firn.data.Batch;
import io.firn.data.Batches;
import io.firn.data.Loader;
import io.firn.graph.Shape;
import io.firn.weights.Safetensors;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.IntConsumer;
import java.util.function.IntFunction;

/**
 * What a network's classifier reads of images, in a safetensors file for other programs: {@code features} f32 [images,
 * features] and {@code logits} f32 [images, classes], a row an image; in the metadata {@code files}, a JSON list in the
 * rows' order, and {@code classes}.
 */
final class FeatureFile {
    private final List<String> files = new ArrayList<>();
    private final SequencedMap<String, List<float[]>> rows = new LinkedHashMap<>();

    /** Adds a row for each image that the loader reads. */
    void add(ForwardPass pass, Loader loader, IntFunction<String> file, IntConsumer done) {
        int images = 0;
        try (Batches batches = loader.epoch(0, 0)) {
            while (batches.hasNext()) {
                try (Batch batch = batches.next()) {
                    MemorySegment pixels = pass.pixels();
                    MemorySegment.copy(batch.images(), 0, pixels, 0, pixels.byteSize());
                    pass.run();
                    for (String output : List.of(ForwardPass.FEATURES, ForwardPass.LOGITS)) {
                        add(pass, output, batch);
                    }
                    for (int index : batch.indices()) {
                        if (index >= 0) {
                            files.add(file.apply(index));
                        }
                    }
                    images += batch.count();
                    done.accept(images);
                }
            }
        }
    }

    private void add(ForwardPass pass, String output, Batch batch) {
        Shape shape = pass.shape(output);
        float[] all = new float[Math.toIntExact(shape.elements())];
        pass.copy(output, all);
        List<float[]> to = rows.computeIfAbsent(output, _ -> new ArrayList<>());
        for (int i = 0; i < shape.dim(0); i++) {
            if (batch.indices()[i] >= 0) {
                float[] row = new float[shape.dim(1)];
                System.arraycopy(all, i * row.length, row, 0, row.length);
                to.add(row);
            }
        }
    }

    int images() {
        return files.size();
    }

    /** Writes all rows, or leaves the file as it was. */
    void write(Path to, List<String> classes) {
        SequencedMap<String, Shape> shapes = new LinkedHashMap<>();
        rows.forEach((name, list) -> shapes.put(name, Shape.of(list.size(), list.getFirst().length)));
        Safetensors.write(to, shapes, name -> flat(rows.get(name)), Map.of("files", ModelCard.json(files),
                "classes", ModelCard.json(classes)), 0);
    }

    private static float[] flat(List<float[]> rows) {
        int width = rows.getFirst().length;
        float[] flat = new float[Math.multiplyExact(rows.size(), width)];
        for (int i = 0; i < rows.size(); i++) {
            System.arraycopy(rows.get(i), 0, flat, i * width, width);
        }
        return flat;
    }
}
