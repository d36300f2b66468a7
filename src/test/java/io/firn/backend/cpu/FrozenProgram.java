package io.firn.backend.cpu;

import io.firn.backend.Session;
import io.firn.graph.Update;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.models.NearNames;
import io.firn.plan.FreezeSpec;
import io.firn.plan.Plan;
import io.firn.plan.PlanRequest;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.plan.TuningTable;
import io.firn.train.FixedInputs;
import io.firn.weights.Initializer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;

/** ResNet-18 on two small images with parts frozen: plans that train and evaluate it, and a few of their steps. */
record FrozenProgram(Model model, Program program) {
    private static final int BATCH = 2;

    /** @param freeze what is not trained; empty for an evaluation alone */
    static FrozenProgram of(CpuBackend backend, Optional<String> freeze, Precision precision) {
        Model m = Models.build("resnet18", ModelOptions.defaults().withBatch(BATCH).withResolution(32).withClasses(10));
        List<PlanRequest> requests = new ArrayList<>();
        freeze.map(spec -> new PlanRequest.Training(FreezeSpec.frozen(spec, m.graph(), NearNames::of),
                _ -> new Update.Sgd(0.9, 1e-4, false, 1), 0)).ifPresent(t -> requests.add(request("train", m, precision,
                Optional.of(t))));
        requests.add(request("evaluate", m, precision, Optional.empty()));
        return new FrozenProgram(m, backend.plan(TuningTable.EMPTY, requests));
    }

    private static PlanRequest request(String name, Model m, Precision precision,
                                       Optional<PlanRequest.Training> training) {
        return new PlanRequest(name, m.graph(), m.preset().mean(), m.preset().std(), precision, training);
    }

    /** Writes all states that a model has. */
    void fill(Session session) {
        Initializer.initialize(model.graph(), 1, model.initialization()::sampler, _ -> true)
                .forEach(session::writeState);
    }

    /** Two steps of each plan. */
    void step(Session session) {
        for (Plan plan : program.plans()) {
            FixedInputs.fill(session, plan, 0.1, new Random(1));
            session.step(plan);
            FixedInputs.step(session, plan, 0.1, 1);
            session.step(plan);
        }
    }

    /** All states, and what the last evaluation said. */
    TreeMap<String, float[]> results(Session session) {
        TreeMap<String, float[]> all = new TreeMap<>();
        program.state().states().forEach((name, s) -> {
            float[] values = new float[Math.toIntExact(s.value().shape().elements())];
            session.readState(name, values);
            all.put(name, values);
        });
        float[] logits = new float[BATCH * 10];
        session.output(program.plan("evaluate"), "logits", logits);
        all.put("logits", logits);
        return all;
    }
}
