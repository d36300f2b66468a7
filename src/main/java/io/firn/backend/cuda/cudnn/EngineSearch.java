package io.firn.backend.cuda.cudnn;

import static org.bytedeco.cuda.global.cudnn.*;

import io.firn.graph.DType;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Predicate;

/**
 * Asks cuDNN for engines, without a device: its heuristics rank configurations for the properties of a GPU that need not be
 * present (mode A, then the fallbacks), and the first one is taken of which an execution plan can be finished.
 */
final class EngineSearch {
    /** cudnnBackendNumericalNote_t, as far as a choice or a user may depend on it. */
    private static final Map<Integer, String> NOTES = Map.of(CUDNN_NUMERICAL_NOTE_TENSOR_CORE, "tensor_core",
            CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS, "down_convert_inputs",
            CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION, "reduced_precision_reduction",
            CUDNN_NUMERICAL_NOTE_FFT, "fft", CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC, "nondeterministic",
            CUDNN_NUMERICAL_NOTE_WINOGRAD, "winograd");
    /** Engines that add up in a type narrower than f32 are taken for no precision. */
    private static final String NARROW_SUMS = "reduced_precision_reduction";
    /** What f32 is not for: rounding to tf32, and transforms, whose errors exceed those of the sums by far. */
    private static final Set<String> INEXACT = Set.of("tensor_core", "down_convert_inputs", "winograd", "fft");
    private static final List<Integer> MODES = List.of(CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK);
    private static final int MOST = 64;

    private final String device;
    private final boolean deterministic;

    /**
     * @param device        the GPU's properties as JSON
     * @param deterministic whether only engines will do that always give the same bits
     */
    EngineSearch(String device, boolean deterministic) {
        this.device = device;
        this.deterministic = deterministic;
    }

    /** What came of a search. */
    sealed interface Outcome {
    }

    /** @param plan the finished execution plan, as cuDNN serialises it */
    record Found(Engine engine, byte[] plan) implements Outcome {
    }

    /**
     * No engine.
     *
     * @param broken whether anything failed in another way than by not being supported
     */
    record None(String reason, boolean broken) implements Outcome {
    }

    /** The first that will do. */
    Outcome search(CudnnGraph g) {
        return search(g, _ -> true);
    }

    /** The first of those wanted that will do. */
    Outcome search(CudnnGraph g, Predicate<Engine> wanted) {
        List<Found> found = new ArrayList<>();
        None none = visit(g, wanted, f -> {
            found.add(f);
            return false;
        });
        return found.isEmpty() ? none : found.getFirst();
    }

    /** The first so many that will do. */
    List<Found> all(CudnnGraph g, int most) {
        List<Found> found = new ArrayList<>();
        visit(g, _ -> true, f -> {
            found.add(f);
            return found.size() < most;
        });
        return found;
    }

    /**
     * Visits engines in cuDNN's order for as long as the visitor says.
     *
     * @return why the last one will not do that was not visited
     */
    private None visit(CudnnGraph g, Predicate<Engine> wanted, Predicate<Found> visitor) {
        // Of earlier calls that succeeded in the end.
        Descriptor.lastError();
        None none = new None("cuDNN's heuristics know none", false);
        try (Descriptor properties = properties(); GraphDescriptors graph = new GraphDescriptors(g)) {
            for (int mode : MODES) {
                List<Descriptor> configurations = configurations(graph, properties, mode);
                try {
                    for (Descriptor c : configurations) {
                        Outcome o = attempt(g, c, properties, wanted);
                        switch (o) {
                            case Found f -> {
                                if (!visitor.test(f)) {
                                    return none;
                                }
                            }
                            case None n -> none = new None(n.reason, none.broken || n.broken);
                        }
                    }
                } finally {
                    configurations.forEach(Descriptor::close);
                }
            }
            return none;
        } catch (Descriptor.NotSupported e) {
            return new None(e.getMessage(), false);
        }
    }

    private Outcome attempt(CudnnGraph g, Descriptor configuration, Descriptor properties, Predicate<Engine> wanted) {
        try {
            Engine e = describe(configuration);
            String unfit = wanted.test(e) ? unfit(g, e) : "its engines are others than the one asked for";
            return unfit.isEmpty() ? finish(configuration, properties, e) : new None(unfit, false);
        } catch (Descriptor.NotSupported e) {
            return new None(e.getMessage(), false);
        } catch (Descriptor.Failed e) {
            return new None(e.getMessage(), true);
        }
    }

    private Descriptor properties() {
        Descriptor d = new Descriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, "the device");
        try {
            return d.text(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, device.getBytes(StandardCharsets.UTF_8)).finish();
        } catch (RuntimeException e) {
            d.close();
            throw e;
        }
    }

    /** Best first; the caller closes each. */
    private static List<Descriptor> configurations(GraphDescriptors graph, Descriptor properties, int mode) {
        try (Descriptor heuristics = new Descriptor(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, "heuristics")) {
            heuristics.descriptor(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph.graph())
                    .choice(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, mode)
                    .descriptor(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, properties).finish();
            // The count that a query for it returns is too high; the one that comes with the results is right.
            return heuristics.getDescriptors(CUDNN_ATTR_ENGINEHEUR_RESULTS, MOST,
                    () -> new Descriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, "configuration"));
        } catch (Descriptor.NotSupported e) {
            return List.of();
        }
    }

    private static Engine describe(Descriptor configuration) {
        List<Descriptor> made = new ArrayList<>();
        try {
            made.addAll(configuration.getDescriptors(CUDNN_ATTR_ENGINECFG_ENGINE, 1,
                    () -> new Descriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, "engine")));
            Descriptor engine = made.getFirst();
            List<Integer> notes = engine.getChoices(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                    CUDNN_NUMERICAL_NOTE_TYPE_COUNT);
            boolean compiled = engine.getChoices(CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE,
                    CUDNN_BEHAVIOR_NOTE_TYPE_COUNT).contains(CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION);
            List<Descriptor> choices = configuration.getDescriptors(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, MOST,
                    () -> new Descriptor(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, "knob"));
            made.addAll(choices);
            SortedMap<Integer, Long> knobs = new TreeMap<>();
            for (Descriptor c : choices) {
                knobs.put(c.getChoices(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1).getFirst(),
                        c.getLong(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE));
            }
            return new Engine(engine.getLong(CUDNN_ATTR_ENGINE_GLOBAL_INDEX), knobs, 0, compiled,
                    !notes.contains(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC),
                    notes.stream().filter(NOTES::containsKey).map(NOTES::get).sorted().toList());
        } finally {
            made.forEach(Descriptor::close);
        }
    }

    /** Why an engine may not be used for this graph; empty where it may. */
    private String unfit(CudnnGraph g, Engine e) {
        if (deterministic && !e.deterministic()) {
            return "its engines are not deterministic";
        }
        if (e.notes().contains(NARROW_SUMS)) {
            return "its engines add up in less than f32";
        }
        boolean f32 = g.inputs().stream().allMatch(t -> t.type() == DType.F32);
        if (f32 && !g.tf32() && e.notes().stream().anyMatch(INEXACT::contains)) {
            return "its engines are less exact than f32";
        }
        return "";
    }

    private Found finish(Descriptor configuration, Descriptor properties, Engine e) {
        try (Descriptor plan = new Descriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, "execution plan of " + e.label())) {
            plan.descriptor(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration)
                    .descriptor(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, properties).finish();
            return new Found(new Engine(e.index(), e.knobs(), plan.getLong(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE),
                    e.compiled(), e.deterministic(), e.notes()), plan.getText(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION));
        }
    }

    /** Restores a serialised plan: whether it is one of this library and device. */
    boolean restores(byte[] serialised) {
        try (Descriptor properties = properties();
                Descriptor plan = new Descriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, "restored plan")) {
            plan.descriptor(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, properties)
                    .text(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, serialised).finish();
            return true;
        } catch (Descriptor.Failed e) {
            return false;
        }
    }
}
