package io.firn.finetune;

import io.firn.backend.Session;
import io.firn.data.Batch;
import io.firn.data.Batches;
import io.firn.data.Dataset;
import io.firn.data.Loader;
import io.firn.error.UserError;
import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Linear;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Pooling;
import io.firn.graph.Value;
import io.firn.models.Model;
import io.firn.plan.Plan;
import io.firn.plan.PlanRequest;
import io.firn.train.InitialStates;
import io.firn.train.Preprocessing;
import io.firn.train.Setup;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.Consumer;
import java.util.function.IntConsumer;

/**
 * One forward pass over a sample, in evaluation mode: what every tap says about each image, and how the input of every
 * batch norm is spread, batch by batch. It is a plan like any other, with a few outputs more:
 *
 * <pre>
 * conv → bn → … block end → …          conv → bn → … block end → …
 *                                  →     ↓                 ↓
 *                                      Σx, Σx²      mean over H and W
 * </pre>
 *
 * @param labels   of the images that could be read
 * @param features by tap, in forward order: a row of channels for each image, averaged over its pixels
 * @param norms    by batch norm, in forward order: how its input is spread in each whole batch
 */
record Measurement(int[] labels, SequencedMap<String, float[][]> features, SequencedMap<String, List<Spread>> norms) {
    private static final String TAP = "tap:";
    private static final String SUM = "sum:";
    private static final String SQUARES = "squares:";
    /** Large enough for kernels to be worth their overhead, small enough for a few images to be several batches. */
    private static final int LARGEST_BATCH = 32;
    private static final int BATCHES = 8;

    /** Each channel's mean and variance over a number of values. */
    record Spread(double[] mean, double[] variance) {
    }

    /** What to look at. */
    enum Look { TAPS_AND_NORMS, TAPS, FIRST_NORM }

    /**
     * Runs the sample through the network.
     *
     * @param filled changes states once they are written
     * @param done   takes the number of images that are done
     */
    static Measurement of(Setup setup, Dataset sample, Preprocessing p, InitialStates states, List<String> taps, Look look,
                          Consumer<Session> filled, IntConsumer done) {
        int batch = Math.clamp(sample.size() / BATCHES, 1, LARGEST_BATCH);
        Graph graph = instrumented(setup.model(batch), taps, look);
        PlanRequest request = new PlanRequest("measure", graph, p.mean(), p.std(), setup.precision(), Optional.empty());
        try (Session session = setup.backend().load(setup.plan(List.of(request)).program())) {
            states.write(session);
            filled.accept(session);
            return run(session, sample, p, batch, setup.options().data().workers(), done);
        }
    }

    private static Graph instrumented(Model model, List<String> taps, Look look) {
        Graph g = model.graph();
        GraphBuilder b = GraphBuilder.from(g);
        if (look != Look.FIRST_NORM) {
            Node head = head(g);
            taps.forEach(tap -> b.output(TAP + tap, tap.equals(head.name()) ? model.features()
                    : b.add(TAP + tap, new Pooling.GlobalAverage(), model.blockOutput(tap))));
        }
        for (Node n : g.nodes()) {
            if (look == Look.TAPS || !(n.op() instanceof Normalization.BatchNorm)) {
                continue;
            }
            List<Value> sums = b.addAll(n.name() + ".spread", new Normalization.Statistics(), n.input(0));
            b.output(SUM + n.name(), sums.get(0));
            b.output(SQUARES + n.name(), sums.get(1));
            if (look == Look.FIRST_NORM) {
                // Nothing above is of interest; what is called logits is only what a plan has to have.
                b.output("logits", b.add("first", new Pooling.GlobalAverage(), n.input(0)));
                Graph first = b.build();
                return first.prune(first.outputs().keySet(), List.of());
            }
        }
        return b.build();
    }

    /** The product that makes the logits: what it reads is the last tap, under its name. */
    static Node head(Graph g) {
        Node last = g.producers().get(g.output("logits"));
        if (!(last.op() instanceof Linear.Forward)) {
            throw new IllegalStateException(last + " is no classifier");
        }
        return last;
    }

    private static Measurement run(Session session, Dataset sample, Preprocessing p, int batch, int workers,
                                   IntConsumer done) {
        Plan plan = session.program().plans().getFirst();
        List<Integer> labels = new ArrayList<>();
        Map<String, float[]> buffers = new LinkedHashMap<>();
        SequencedMap<String, List<float[]>> features = new LinkedHashMap<>();
        SequencedMap<String, List<Spread>> norms = new LinkedHashMap<>();
        plan.graph().outputs().forEach((name, v) -> buffers.put(name, new float[Math.toIntExact(v.shape().elements())]));
        try (Loader loader = new Loader(sample, p.inOrder(batch, workers), _ -> { });
             Batches batches = loader.epoch(0, 0)) {
            int images = 0;
            while (batches.hasNext()) {
                try (Batch b = batches.next()) {
                    MemorySegment pixels = session.input(plan, "pixels");
                    MemorySegment.copy(b.images(), 0, pixels, 0, pixels.byteSize());
                    session.input(plan, "labels").fill((byte) 0);
                    session.step(plan);
                    buffers.forEach((name, to) -> session.output(plan, name, to));
                    boolean whole = true;
                    for (int i = 0; i < batch; i++) {
                        boolean read = b.indices()[i] >= 0;
                        whole &= read;
                        if (read) {
                            labels.add(b.labels()[i]);
                            addRows(buffers, features, i, batch);
                        }
                    }
                    if (whole) {
                        addSpreads(plan, buffers, norms);
                    }
                    images += b.count();
                    done.accept(images);
                }
            }
        }
        SequencedMap<String, float[][]> rows = new LinkedHashMap<>();
        features.forEach((tap, list) -> rows.put(tap, list.toArray(float[][]::new)));
        return new Measurement(labels.stream().mapToInt(Integer::intValue).toArray(), rows, norms);
    }

    private static void addRows(Map<String, float[]> buffers, Map<String, List<float[]>> features, int slot, int batch) {
        buffers.forEach((name, values) -> {
            if (name.startsWith(TAP)) {
                int channels = values.length / batch;
                float[] row = new float[channels];
                System.arraycopy(values, slot * channels, row, 0, channels);
                for (float v : row) {
                    if (!Float.isFinite(v)) {
                        throw UserError.data("with these weights, what comes out of %s is not finite: they are damaged, or the "
                                + "images are prepared in another way than they were trained with (--mean, --std)",
                                name.substring(TAP.length()));
                    }
                }
                features.computeIfAbsent(name.substring(TAP.length()), _ -> new ArrayList<>()).add(row);
            }
        });
    }

    private static void addSpreads(Plan plan, Map<String, float[]> buffers, Map<String, List<Spread>> norms) {
        Graph g = plan.graph();
        Map<Value, Node> producers = g.producers();
        buffers.forEach((name, sums) -> {
            if (!name.startsWith(SUM)) {
                return;
            }
            String norm = name.substring(SUM.length());
            var x = producers.get(g.output(name)).input(0).shape();
            double count = (double) x.n() * x.area();
            float[] squares = buffers.get(SQUARES + norm);
            double[] mean = new double[sums.length];
            double[] variance = new double[sums.length];
            for (int c = 0; c < sums.length; c++) {
                mean[c] = sums[c] / count;
                variance[c] = Math.max(0, squares[c] / count - mean[c] * mean[c]);
            }
            norms.computeIfAbsent(norm, _ -> new ArrayList<>()).add(new Spread(mean, variance));
        });
    }
}
