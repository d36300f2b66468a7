package io.firn.train;

import io.firn.backend.Backend;
import io.firn.backend.HostMemory;
import io.firn.backend.Tuned;
import io.firn.data.Loader;
import io.firn.data.LoaderOptions;
import io.firn.error.UserError;
import io.firn.graph.Graph;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.State;
import io.firn.models.Model;
import io.firn.models.NearNames;
import io.firn.plan.FreezeSpec;
import io.firn.plan.PlanRequest;
import io.firn.plan.Program;
import io.firn.plan.Ranks;
import io.firn.plan.TuningTable;
import io.firn.plan.WholeStep;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.UnaryOperator;

/** Plans a training, and tells before its first step whether it fits into memory. */
final class Plans {
    static final String TRAIN = "train";
    static final String EVALUATE = "evaluate";
    /** The plans of a step whose gradients come from several batches. */
    static final String ACCUMULATE = "accumulate";
    static final String APPLY = "apply";
    /** Generated code, stacks of threads and what else a process has beside its arenas and buffers. */
    private static final long OVERHEAD = 128L << 20;

    private Plans() {
    }

    /** Name of the plan that takes images of that resolution. */
    static String training(Setup s, int resolution) {
        String name = StepOptions.of(s.options()).name();
        return resolution == s.options().net().resolution() ? name : name + "@" + resolution;
    }

    /** A step with images of the network's own resolution. */
    static WholeStep step(Setup s, Program program) {
        return step(s, program, s.options().net().resolution());
    }

    /** A step with images of one of the run's resolutions. */
    static WholeStep step(Setup s, Program program, int resolution) {
        return StepOptions.of(s.options()).step(program, training(s, resolution));
    }

    /**
     * The plans over one state: {@code train}, or {@code accumulate} and {@code apply}; more of the former for each other
     * resolution ({@code train@128}); with validation {@code evaluate}; and where what is frozen is computed apart,
     * {@code prefix}, after which the others begin.
     */
    static Program program(Setup s, TuningTable table) {
        return program(s, s.share(), table, frozen(s));
    }

    /** The same with nothing frozen. */
    static Program unfrozen(Setup s, TuningTable table) {
        return program(s, s.share(), table, Set.of());
    }

    private static Program program(Setup s, int batch, TuningTable table, Set<String> frozen) {
        return s.backend().plan(table, requests(s, batch, frozen));
    }

    private static List<PlanRequest> requests(Setup s, int batch, Set<String> frozen) {
        StepOptions options = StepOptions.of(s.options());
        Model model = s.model(batch);
        boolean hasOwnPrefix = FrozenPrefix.isOwnPlan(s, frozen);
        UnaryOperator<PlanRequest> rest = r -> hasOwnPrefix ? r.on(PlanRequest.Cut.Side.AFTER, frozen) : r;
        Optional<PlanRequest.Training> training = Optional.of(options.training(model, frozen, ranks(s)));
        List<PlanRequest> requests = new ArrayList<>();
        for (int resolution : s.resolutions().reversed()) {
            requests.add(rest.apply(request(training(s, resolution), s.model(batch, resolution), s.preprocessing(), s, training)));
        }
        options.apply(requests.getFirst()).ifPresent(requests::add);
        if (s.validation().isPresent()) {
            Preprocessing p = s.preprocessing();
            Model evaluated = s.model(s.validationBatch(batch));
            requests.add(rest.apply(new PlanRequest(EVALUATE, evaluated.graph(), p.mean(), p.std(), s.precision(),
                    Optional.empty(), options.update().averages() ? PlanRequest.averaged(evaluated.graph(), frozen) : Set.of(),
                    Optional.empty())));
        }
        if (hasOwnPrefix) {
            requests.add(request(FrozenPrefix.PLAN, model, s.preprocessing(), s, Optional.empty())
                    .on(PlanRequest.Cut.Side.BEFORE, frozen));
        }
        return requests;
    }

    private static Ranks ranks(Setup s) {
        RankOptions r = s.options().together();
        return r.ranks() == 1 ? Ranks.ONE : Ranks.of(r.ranks(), r.syncBn());
    }

    private static PlanRequest request(String name, Model model, Preprocessing p, Setup s,
                                       Optional<PlanRequest.Training> training) {
        return new PlanRequest(name, model.graph(), p.mean(), p.std(), s.precision(), training);
    }

    /** Names of the parameters that are not trained. */
    static Set<String> frozen(Setup s) {
        return FreezeSpec.frozen(s.options().net().freeze(), s.model(1).graph(), NearNames::of);
    }

    /**
     * Refuses a batch norm over a single value a channel: it would give 0 whatever its input.
     *
     * @throws UserError (usage) that names it
     */
    static void checkBatchNorms(Setup s) {
        s.resolutions().forEach(r -> checkBatchNorms(s, r));
    }

    private static void checkBatchNorms(Setup s, int resolution) {
        RankOptions r = s.options().together();
        Graph g = s.model(s.share(), resolution).graph();
        Set<String> frozen = FreezeSpec.withWholeNorms(g, frozen(s));
        for (Node n : g.nodes()) {
            var shape = n.inputs().isEmpty() ? null : n.input(0).shape();
            if (n.op() instanceof Normalization.BatchNorm && !frozen.contains(n.input(1).name())
                    && (long) shape.n() * shape.area() * (r.syncBn() ? r.ranks() : 1) == 1) {
                throw UserError.usage("--batch %d: batch norm %s has a single value a channel%s (%dx%d pixels at "
                        + "--resolution %d) and nothing to normalise by; give --batch %d or more, or a higher --resolution",
                        r.ranks(), n.name(), r.ranks() == 1 ? "" : " on each rank", shape.w(), shape.h(), resolution,
                        2 * r.ranks());
            }
        }
    }

    /**
     * Refuses what does not fit into the memory of the machine, or of its GPU.
     *
     * @throws UserError (memory) that names the largest batch that fits
     */
    static void checkMemory(Setup s, Program program) {
        int batch = s.share();
        int ranks = s.options().together().ranks();
        Need need = Need.of(s, batch, program);
        if (need.fits()) {
            return;
        }
        int fits = largestBatch(s, batch - 1);
        throw UserError.memory("--batch %d%s needs %s; %s", batch * ranks,
                ranks == 1 ? "" : " on %d ranks, each of which".formatted(ranks), need.lacking(),
                fits == 0 ? "not even --batch %d fits: give a smaller model or --resolution".formatted(ranks)
                        : "the largest batch that fits is --batch " + fits * ranks);
    }

    /** The same for an evaluation. */
    static void checkMemory(Backend backend, Program program, int batch, LoaderOptions loader) {
        Need need = Need.of(backend, program, Loader.bufferBytes(loader));
        if (!need.fits()) {
            throw UserError.memory("--batch %d needs %s; lower --batch", batch, need.lacking());
        }
    }

    /** The largest batch up to {@code most} that fits, found by planning; 0 where none does. */
    static int largestBatch(Setup s, int most) {
        Set<String> frozen = frozen(s);
        int fits = 0;
        for (int low = 1, high = most; low <= high; ) {
            // The first question is whether all is well.
            int batch = high == most && fits == 0 && low == 1 ? most : (low + high) / 2;
            if (Need.of(s, batch, program(s, batch, TuningTable.EMPTY, frozen)).fits()) {
                fits = batch;
                low = batch + 1;
            } else {
                high = batch - 1;
            }
        }
        return fits;
    }

    /**
     * Bytes that are needed and can be had.
     *
     * @param device of a GPU; 0 where the device computes in the machine's memory
     */
    private record Need(long host, long freeHost, long device, long freeDevice) {

        /** Of the whole run: the program, the loaders' buffers, a tensor on its way to or from a file. */
        static Need of(Setup s, int batch, Program program) {
            long loaders = Loader.bufferBytes(s.training(batch))
                    + (s.validation().isPresent() ? Loader.bufferBytes(s.validating(s.validationBatch(batch))) : 0);
            long largest = program.state().states().values().stream().map(State::value)
                    .mapToLong(v -> v.type().bytes()).max().orElse(0);
            return of(s.backend(), program, loaders + largest
                    + Features.memory(s, program, s.training(batch)));
        }

        static Need of(Backend backend, Program program, long beside) {
            OptionalLong own = backend.freeMemory();
            return new Need(beside + OVERHEAD + (own.isPresent() ? 0 : backend.memory(program)), HostMemory.available(),
                    own.isPresent() ? backend.memory(program) : 0, own.orElse(0));
        }

        boolean fits() {
            return host <= freeHost && device <= freeDevice;
        }

        String lacking() {
            return device > freeDevice ? "%s of the GPU's memory, and %s are free".formatted(gigabytes(device),
                    gigabytes(freeDevice)) : "%s of memory, and %s are free".formatted(gigabytes(host), gigabytes(freeHost));
        }
    }

    private static String gigabytes(long bytes) {
        return String.format(Locale.ROOT, bytes < 1_000_000_000 ? "%.2f GB" : "%.1f GB", bytes / 1e9);
    }

    /**
     * The program with the choices that it takes: measured once on a machine, and none where every run is to have the same
     * bits, since another measurement may choose other kernels.
     *
     * @throws UserError (memory) before seconds are spent on measuring
     */
    static Tuned tuned(Setup s) {
        Tuned tuned = s.options().run().deterministic() ? new Tuned(program(s, TuningTable.DETERMINISTIC), TuningTable.DETERMINISTIC)
                : TuningCache.tuned(s.backend(), requests(s, s.share(), frozen(s)), p -> {
                    checkMemory(s, p);
                    return true;
                });
        checkMemory(s, tuned.program());
        return tuned;
    }

    /** The program with the choices that were measured before; what was not is chosen by estimate. */
    static Tuned known(Setup s) {
        return s.options().run().deterministic() ? new Tuned(program(s, TuningTable.DETERMINISTIC), TuningTable.DETERMINISTIC)
                : TuningCache.tuned(s.backend(), requests(s, s.share(), frozen(s)), _ -> false);
    }

    /** Bytes of the memory that a whole run computes in: the GPU's, or the machine's with all that is beside the plans. */
    static long bytes(Setup s, Program program) {
        Need need = Need.of(s, s.share(), program);
        return need.device > 0 ? need.device : need.host;
    }
}
