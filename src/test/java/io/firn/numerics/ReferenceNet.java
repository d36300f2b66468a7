package io.firn.numerics;

import com.fasterxml.jackson.databind.JsonNode;
import io.firn.backend.Backend;
import io.firn.backend.Session;
import io.firn.graph.Rates;
import io.firn.graph.State;
import io.firn.graph.Update;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.plan.FreezeSpec;
import io.firn.plan.Plan;
import io.firn.plan.PlanRequest;
import io.firn.plan.Planner;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.plan.TuningTable;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/** A model of the references, planned and loaded, which takes the references' weights, images and labels. */
final class ReferenceNet implements AutoCloseable {
    private final Model model;
    private final Plan plan;
    private final Session session;
    private final String suffix;
    private final Map<String, Integer> exponents;
    private final Set<String> frozen;

    private ReferenceNet(Backend backend, Model model, PlanRequest request, String suffix,
                         Map<String, Integer> exponents) {
        this.model = model;
        this.suffix = suffix;
        this.exponents = exponents;
        frozen = FreezeSpec.withWholeNorms(model.graph(), request.training().map(PlanRequest.Training::frozen).orElse(Set.of()));
        Program program = new Planner(backend.target(), backend.kernels(TuningTable.EMPTY)).plan(request);
        plan = program.plan(request.name());
        session = backend.load(program);
    }

    /** @param shape object with the batch's size, the resolution and the number of classes */
    private static Model model(String name, JsonNode shape) {
        return Models.build(name, ModelOptions.defaults().withBatch(shape.get("batch").intValue())
                .withResolution(shape.get("resolution").intValue()).withClasses(shape.get("num_classes").intValue())
                .withDropout(0).withDropPath(0));
    }

    /** The net of an entry of {@code eval.json}, with its weights and images. */
    static ReferenceNet evaluating(Backend backend, JsonNode entry, Precision precision) {
        Model model = model(entry.get("model").textValue(), entry);
        var net = new ReferenceNet(backend, model, new PlanRequest("evaluate", model.graph(), model.preset().mean(),
                model.preset().std(), precision, Optional.empty()), "", exponents(entry));
        net.writeStates();
        net.writeSamples(0);
        return net;
    }

    private static Map<String, Integer> exponents(JsonNode entry) {
        Map<String, Integer> exponents = new TreeMap<>();
        entry.path("exponents").properties().forEach(e -> exponents.put(e.getKey(), e.getValue().intValue()));
        return exponents;
    }

    /** The net of an entry of {@code train.json} or {@code freeze.json}, with its seed's weights, ready for the first step. */
    static ReferenceNet training(Backend backend, JsonNode file, JsonNode entry) {
        Model model = model(entry.get("model").textValue(), file);
        var sgd = new Update.Sgd(file.get("momentum").doubleValue(), file.get("weight_decay").doubleValue(), false, 1);
        Set<String> frozen = FreezeSpec.frozen(entry.path("freeze").asText("none"), model.graph(), (_, _) -> List.of());
        var net = new ReferenceNet(backend, model, new PlanRequest("train", model.graph(), model.preset().mean(),
                model.preset().std(), Precision.FP32, Optional.of(new PlanRequest.Training(frozen, _ -> sgd, 0))),
                "#" + entry.get("seed").intValue(), exponents(entry));
        net.writeStates();
        net.session.input(net.plan, "rates").setAtIndex(ValueLayout.JAVA_FLOAT, Rates.LEARNING_RATE,
                entry.get("lr").floatValue());
        return net;
    }

    private void writeStates() {
        for (State s : model.graph().states()) {
            session.writeState(s.name(), first(s));
        }
    }

    private float[] first(State s) {
        return References.state(s.name(), s.value().shape(), suffix, exponents);
    }

    /** Names of frozen parameters and running statistics that are not bit for bit what they were. */
    List<String> changed() {
        return model.graph().states().stream().filter(s -> s.kind() == State.Kind.PARAMETER ? frozen.contains(s.name())
                        : frozen.contains(s.name().substring(0, s.name().lastIndexOf('.')) + ".weight"))
                .filter(s -> !Arrays.equals(state(s.name()), first(s))).map(State::name).toList();
    }

    private void writeSamples(int step) {
        int batch = model.options().batch();
        int samples = (step + 1) * batch;
        byte[] images = References.images(samples, model.options().resolution(), suffix);
        MemorySegment pixels = session.input(plan, "pixels");
        int bytes = images.length / samples * batch;
        MemorySegment.copy(images, step * bytes, pixels, ValueLayout.JAVA_BYTE, 0, bytes);
        int[] classes = References.labels(samples, model.options().classes(), suffix);
        MemorySegment.copy(classes, step * batch, session.input(plan, "labels"), ValueLayout.JAVA_INT, 0, batch);
    }

    /** Logits [N, classes] of the images. */
    float[] evaluate() {
        session.step(plan);
        float[] logits = new float[Math.toIntExact(plan.graph().output("logits").shape().elements())];
        session.output(plan, "logits", logits);
        return logits;
    }

    /** Trains on the batch of that number, from 0; returns the loss before. */
    double train(int step) {
        writeSamples(step);
        session.input(plan, "rates").setAtIndex(ValueLayout.JAVA_FLOAT, Rates.STEP, step + 1);
        session.step(plan);
        float[] loss = new float[1];
        session.output(plan, "loss", loss);
        return loss[0];
    }

    /** What all steps until now have added to each parameter that is trained. */
    Map<String, double[]> update() {
        Map<String, double[]> updates = new TreeMap<>();
        for (State s : model.graph().states(State.Kind.PARAMETER)) {
            if (frozen.contains(s.name())) {
                continue;
            }
            float[] before = first(s);
            float[] after = state(s.name());
            double[] update = new double[after.length];
            for (int i = 0; i < update.length; i++) {
                update[i] = (double) after[i] - before[i];
            }
            updates.put(s.name(), update);
        }
        return updates;
    }

    float[] state(String name) {
        State state = session.program().state().states().get(name);
        float[] v = new float[Math.toIntExact(state.value().shape().elements())];
        session.readState(name, v);
        return v;
    }

    @Override
    public void close() {
        session.close();
    }
}
