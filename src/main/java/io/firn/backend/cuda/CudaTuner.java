package io.firn.backend.cuda;

import io.firn.backend.Tuned;
import io.firn.backend.cuda.Device.Memory;
import io.firn.backend.cuda.Device.Product;
import io.firn.backend.cuda.Device.Stream;
import io.firn.backend.cuda.cudnn.CudnnGraph;
import io.firn.backend.cuda.cudnn.CudnnGraph.Tensor;
import io.firn.backend.cuda.cudnn.Engine;
import io.firn.backend.cuda.cudnn.Engines;
import io.firn.backend.cuda.cudnn.TunedEngines;
import io.firn.error.UserError;
import io.firn.plan.Buffer;
import io.firn.plan.PlanRequest;
import io.firn.plan.Program;
import io.firn.plan.TuningTable;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Fills the tuning table by measurement: each of a program's products that is cuDNN's runs with the engines that cuDNN ranks
 * first, and the fastest is kept. cuDNN's own ranks are estimates.
 */
final class CudaTuner {
    private static final Logger LOG = LoggerFactory.getLogger(CudaTuner.class);
    private static final int ENGINES = 4;
    private static final int REPEATS = 5;
    /** All operands hold this byte: in every type a small number that is no denormal. */
    private static final byte FILLING = 0x3C;

    private final CudaBackend backend;
    private final Device device;
    private final Engines engines;

    CudaTuner(CudaBackend backend, Device device, Engines engines) {
        this.backend = backend;
        this.device = device;
        this.engines = engines;
    }

    /** What {@link io.firn.backend.Backend#tune} says. */
    Tuned tune(List<PlanRequest> requests, TuningTable known, Predicate<Program> measure) {
        Program planned = backend.plan(known, requests);
        Map<String, String> choices = new TreeMap<>();
        List<CudnnGraph> open = new ArrayList<>();
        for (CudnnGraph g : graphs(planned)) {
            String choice = known.choices().get(TunedEngines.key(g));
            if (choice == null) {
                open.add(g);
            } else {
                choices.put(TunedEngines.key(g), choice);
            }
        }
        if (open.isEmpty() || !measure.test(planned)) {
            return new Tuned(planned, TuningTable.EMPTY.with(choices));
        }
        for (CudnnGraph g : open) {
            choices.put(TunedEngines.key(g), fastest(g));
        }
        TuningTable table = TuningTable.EMPTY.with(choices);
        return new Tuned(backend.plan(table, requests), table);
    }

    private static Set<CudnnGraph> graphs(Program program) {
        Set<CudnnGraph> graphs = new LinkedHashSet<>();
        program.plans().forEach(p -> p.launches().stream().filter(LaunchBinder::isCudnn)
                .filter(l -> !l.kernel().implementation().equals(CudaKernels.NO_ENGINE))
                .forEach(l -> graphs.add(LaunchBinder.cudnn(p, l).graph())));
        return graphs;
    }

    private String fastest(CudnnGraph g) {
        List<Engine> ranked = engines.ranked(g, ENGINES);
        if (ranked.isEmpty()) {
            throw UserError.other("cuDNN has no engine: %s", engines.refusal(g));
        }
        String best = ranked.getFirst().choice();
        if (ranked.size() == 1) {
            return best;
        }
        double shortest = Double.POSITIVE_INFINITY;
        for (Engine e : ranked) {
            double seconds = seconds(g, e);
            if (seconds < shortest) {
                shortest = seconds;
                best = e.choice();
            }
        }
        return best;
    }

    /** Infinite where the engine does not run: cuDNN may refuse on the device what it finished without. */
    private double seconds(CudnnGraph g, Engine e) {
        try (Owned owned = new Owned(device)) {
            Stream stream = owned.add(device.stream());
            var watch = new Stopwatch(device, owned, stream);
            List<Long> addresses = new ArrayList<>();
            List<Tensor> tensors = new ArrayList<>(g.inputs());
            tensors.addAll(g.outputs());
            for (Tensor t : tensors) {
                Memory m = owned.add(device.allocate(bytes(t)));
                device.fill(m.address(), FILLING, m.bytes(), stream);
                addresses.add(m.address());
            }
            Memory workspace = owned.add(device.allocate(Math.max(Buffer.ALIGNMENT, e.workspace())));
            byte[] plan = engines.plan(g, e.choice()).orElseThrow();
            Product p = owned.add(device.product(g, plan, addresses, workspace.address()));
            return watch.seconds(REPEATS, () -> device.execute(p, stream));
        } catch (UserError refused) {
            if (refused.kind() == UserError.Kind.MEMORY) {
                throw refused;
            }
            checkDevice(e, refused);
            LOG.warn("engine {} of cuDNN is not taken: {}", e.choice(), refused.getMessage());
            return Double.POSITIVE_INFINITY;
        }
    }

    /** What cuDNN refuses leaves the device as it was; what broke it leaves nothing to measure. */
    private void checkDevice(Engine e, UserError why) {
        try {
            device.freeMemory();
        } catch (UserError broken) {
            throw UserError.other("engine %s of cuDNN broke the device while it was measured: %s; --deterministic measures none",
                    e.choice(), why.getMessage()).causedBy(why);
        }
    }

    private static long bytes(Tensor t) {
        return t.type().bytes() * t.dims().stream().reduce(1L, Math::multiplyExact);
    }
}
