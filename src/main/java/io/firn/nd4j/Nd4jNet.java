package io.firn.nd4j;

import io.firn.error.UserError;
import io.firn.graph.Shape;
import io.firn.train.Classifier;
import io.firn.train.Config;
import io.firn.train.Devices;
import io.firn.train.ForwardPass;
import io.firn.train.ModelCard;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Reference;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.indexer.FloatIndexer;
import org.bytedeco.javacpp.indexer.UByteIndexer;
import org.nd4j.linalg.api.buffer.DataBuffer;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/**
 * A trained network between ND4J's arrays: batches in, features, logits and weights out. ND4J's host arrays (nd4j-native) and
 * Firn's memory are the same bytes where both lie in this process: nothing is copied but a batch that was not written into
 * {@link #images} itself. Not for several threads at once.
 *
 * <pre>{@code
 * try (Nd4jNet net = Nd4jNet.open(Path.of("runs/first"), 64, Map.of())) {
 *     net.run(images);                                   // UINT8 [64, height, width, channels]
 *     INDArray features = net.features().dup();          // [64, features]; dup() to keep it
 * }
 * }</pre>
 *
 * ND4J is not among Firn's own libraries: {@code org.nd4j:nd4j-native} has to be on the class path, with Firn's JavaCPP and
 * OpenBLAS in place of its own.
 */
public final class Nd4jNet implements AutoCloseable {
    private final Classifier classifier;
    private final ForwardPass pass;

    private Nd4jNet(Classifier classifier, ForwardPass pass) {
        this.classifier = classifier;
        this.pass = pass;
    }

    /**
     * Reads a network.
     *
     * @param weights a weight file or a run folder
     * @param batch   images in a batch
     * @param options as {@link Classifier#open}
     * @throws UserError as that, and where a batch does not fit into memory
     */
    public static Nd4jNet open(Path weights, int batch, Map<String, ?> options) {
        Classifier c = Classifier.open(weights, Config.of(options), Devices::local, _ -> { });
        try {
            return new Nd4jNet(c, c.forward(batch));
        } catch (RuntimeException | Error e) {
            c.close();
            throw e;
        }
    }

    /** The model, its classes and how it sees images: mean and deviation are taken off inside. */
    public ModelCard card() {
        return classifier.card();
    }

    /** The next batch's own memory, UINT8 [N, height, width, channels], to be filled before {@link #run()}. */
    public INDArray images() {
        MemorySegment memory = pass.pixels();
        BytePointer bytes = new BytePointer(memory.asByteBuffer());
        return shaped(Nd4j.createBuffer(bytes, DataType.UINT8, memory.byteSize(), UByteIndexer.create(bytes)), pass.pixelShape());
    }

    /** Computes features and logits of what is in {@link #images}. */
    public void run() {
        pass.run();
    }

    /**
     * Computes features and logits of a batch, which is copied once.
     *
     * @param batch UINT8 [N, height, width, channels], from 0 to 255; of [N, channels, height, width] give
     *              {@code permute(0, 2, 3, 1)}
     * @throws UserError (usage) for another type or shape
     */
    public void run(INDArray batch) {
        long[] wanted = longs(pass.pixelShape());
        if (batch.dataType() != DataType.UINT8 || !Arrays.equals(batch.shape(), wanted)) {
            throw UserError.usage("images are UINT8 %s [N, height, width, channels], not %s %s", Arrays.toString(wanted),
                    batch.dataType(), Arrays.toString(batch.shape()));
        }
        MemorySegment to = pass.pixels();
        copy(batch, ValueLayout.JAVA_BYTE, to);
        pass.run();
    }

    /** What the classifier reads, FLOAT [N, features]: Firn's own memory on a CPU, valid until the next run. */
    public INDArray features() {
        return output(ForwardPass.FEATURES);
    }

    /** What the classifier says, FLOAT [N, classes]: Firn's own memory on a CPU, valid until the next run. */
    public INDArray logits() {
        return output(ForwardPass.LOGITS);
    }

    private INDArray output(String name) {
        Shape shape = pass.shape(name);
        return pass.memory(name).map(m -> over(m, shape)).orElseGet(() -> {
            float[] copy = new float[Math.toIntExact(shape.elements())];
            pass.copy(name, copy);
            return Nd4j.create(copy, longs(shape), 'c');
        });
    }

    /**
     * Parameters and running statistics by torchvision's names, FLOAT in its layouts (convolutions [O, C/g, K, K]): Firn's
     * own memory on a CPU, to be read only, valid until {@link #close}.
     */
    public SequencedMap<String, INDArray> weights() {
        SequencedMap<String, INDArray> all = new LinkedHashMap<>();
        pass.weights().forEach((name, shape) -> {
            Optional<MemorySegment> memory = pass.weightMemory(name);
            all.put(name, memory.map(m -> over(m, shape)).orElseGet(() -> {
                float[] copy = new float[Math.toIntExact(shape.elements())];
                pass.readWeight(name, copy);
                return Nd4j.create(copy, longs(shape), 'c');
            }));
        });
        return all;
    }

    /**
     * Replaces a weight from the next run on.
     *
     * @throws UserError (usage) for a name or shape that the network has not
     */
    public void setWeight(String name, INDArray value) {
        Shape shape = pass.weights().get(name);
        if (shape == null || !Arrays.equals(value.shape(), longs(shape)) || value.dataType() != DataType.FLOAT) {
            throw UserError.usage("%s: %s", name, shape == null ? "no weight has that name"
                    : "the weight is FLOAT %s, not %s %s".formatted(shape, value.dataType(), Arrays.toString(value.shape())));
        }
        float[] data = new float[Math.toIntExact(shape.elements())];
        copy(value, ValueLayout.JAVA_FLOAT, MemorySegment.ofArray(data));
        pass.writeWeight(name, data);
    }

    /** Row-major bytes; what lies otherwise is laid out anew first, and what lies on another device is brought here. */
    private static void copy(INDArray from, ValueLayout element, MemorySegment to) {
        INDArray dense = from.isView() || from.ordering() != 'c' ? from.dup('c') : from;
        MemorySegment memory = MemorySegment.ofAddress(dense.data().addressPointer().address()).reinterpret(
                dense.length() * element.byteSize());
        MemorySegment.copy(memory, 0, to, 0, memory.byteSize());
        // The collector must not free a copy of it before.
        Reference.reachabilityFence(dense);
    }

    private static INDArray over(MemorySegment memory, Shape shape) {
        FloatPointer floats = new FloatPointer(memory.asByteBuffer().order(ByteOrder.nativeOrder()).asFloatBuffer());
        return shaped(Nd4j.createBuffer(floats, DataType.FLOAT, shape.elements(), FloatIndexer.create(floats)), shape);
    }

    private static INDArray shaped(DataBuffer buffer, Shape shape) {
        return Nd4j.create(buffer, longs(shape));
    }

    private static long[] longs(Shape shape) {
        return shape.dims().stream().mapToLong(Integer::longValue).toArray();
    }

    @Override
    public void close() {
        pass.close();
        classifier.close();
    }
}
