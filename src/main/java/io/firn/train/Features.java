package io.firn.train;

import io.firn.backend.Session;
import io.firn.data.Batch;
import io.firn.data.Batches;
import io.firn.data.Dataset;
import io.firn.data.Loader;
import io.firn.data.LoaderOptions;
import io.firn.error.UserError;
import io.firn.graph.State;
import io.firn.plan.Buffer;
import io.firn.plan.Launch;
import io.firn.plan.Plan;
import io.firn.plan.PlanRequest;
import io.firn.plan.Program;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * What the frozen prefix of a phase says of its images, by the plan {@link FrozenPrefix#PLAN}: kept in memory or in a file,
 * or where it is not worth keeping or cannot be kept, computed in each step. The bits are the same, since the plan is.
 *
 * <pre>
 * pixels –prefix→ features –train, evaluate→ …
 *                    ↑ kept, a row an image and view
 * </pre>
 */
final class Features implements ImageInput, AutoCloseable {
    private static final long IN_MEMORY = 256_000_000;
    private static final long TELL_NS = 10_000_000_000L;

    private final Setup setup;
    private final Session session;
    private final Plan prefix;
    private final ImageInput pixels;
    private final int rowBytes;
    private final Signals signals;
    private final Consumer<String> say;
    private final Arena arena = Arena.ofShared();
    /** Rows of one batch. */
    private final MemorySegment rows;
    /** What the prefix says of one batch, value by value. */
    private final List<MemorySegment> values;
    private final Path ownFolder;
    private FeatureRows train;
    private FeatureRows validation;

    private Features(Setup setup, Session session, Path root, Signals signals, Consumer<String> say) {
        this.setup = setup;
        this.session = session;
        this.signals = signals;
        this.say = say;
        prefix = session.program().plan(FrozenPrefix.PLAN);
        pixels = ImageInput.pixels(session);
        rowBytes = rowBytes(session.program());
        rows = arena.allocate((long) prefix.batch() * rowBytes, 64);
        values = prefix.features().stream().map(b -> arena.allocate(b.bytes(), 64)).toList();
        ownFolder = root.resolve("features");
        session.program().plans().stream().filter(p -> p != prefix && !p.features().isEmpty()).forEach(this::checkBorder);
    }

    private void checkBorder(Plan rest) {
        for (int i = 0; i < values.size(); i++) {
            Buffer from = prefix.features().get(i);
            Buffer to = rest.features().get(i);
            if (!from.type().equals(to.type()) || !from.layout().equals(to.layout())) {
                throw new IllegalStateException("the prefix gives %s, and %s takes %s".formatted(from, rest.name(), to));
            }
        }
    }

    /** Bytes of what the prefix says of one image; 0 where a program has none. */
    private static int rowBytes(Program program) {
        return program.plans().stream().filter(p -> p.name().equals(FrozenPrefix.PLAN)).findFirst()
                .map(p -> Math.toIntExact(p.features().stream().mapToLong(Buffer::bytes).sum() / p.batch())).orElse(0);
    }

    /** Bytes of memory that a run with such a program takes for features, the loaders' buffers among them. */
    static long memory(Setup s, Program program, LoaderOptions training) {
        int row = rowBytes(program);
        if (row == 0) {
            return 0;
        }
        long kept = new Shapes(s, row).bytes();
        // Kept rows take the place of pixels in the loaders' buffers.
        return 2L * training.batch() * row + (kept > s.options().transfer().cacheBytes() ? 0
                : 2 * Loader.bufferBytes(training, row) + (isInMemory(s, kept) ? kept : 0));
    }

    private static boolean isInMemory(Setup s, long bytes) {
        return s.options().transfer().featureCacheFolder() == null && bytes <= IN_MEMORY;
    }

    /** The rows of both sets. */
    private record Shapes(Setup s, int rowBytes) {
        FeatureRows.Shape train(byte[] key) {
            return new FeatureRows.Shape(FrozenPrefix.views(s), s.train().size(), rowBytes, key);
        }

        FeatureRows.Shape validation(byte[] key) {
            return new FeatureRows.Shape(1, s.validation().map(Dataset::size).orElse(0), rowBytes, key);
        }

        long bytes() {
            return train(new byte[0]).bytes() + validation(new byte[0]).bytes();
        }
    }

    /**
     * Fills the cache of a phase, or reads it; empty where the program has no such plan.
     *
     * @param session whose states are those of the phase's start
     * @param root    the run's folder
     * @param at      where the run is: past its first step it would lose something by an error, and at its end nothing is
     *                kept, since nobody would read it
     * @throws UserError (stopped) where a signal ends it; (other) where a cache of a given size cannot be written at the
     *                   run's start
     */
    static Optional<Features> of(Setup s, Session session, Path root, Position at, Signals signals, Consumer<String> say) {
        if (session.program().plans().stream().noneMatch(p -> p.name().equals(FrozenPrefix.PLAN))) {
            return Optional.empty();
        }
        Features f = new Features(s, session, root, signals, say);
        try {
            if (at.step() < s.totalSteps()) {
                f.keep(at.step() > 0);
            }
            return Optional.of(f);
        } catch (RuntimeException | Error e) {
            f.close();
            throw e;
        }
    }

    private void keep(boolean begun) {
        TransferOptions t = setup.options().transfer();
        if (t.cacheBytes() == 0) {
            return;
        }
        Shapes shapes = new Shapes(setup, rowBytes);
        long bytes = shapes.bytes();
        boolean inMemory = isInMemory(setup, bytes);
        FeatureCost cost = FeatureCost.of(setup, session.program(), bytes, inMemory);
        if (bytes > t.cacheBytes()) {
            say.accept("feature cache: %s are needed, and --feature-cache %s allows less".formatted(megabytes(bytes),
                    t.featureCache()) + INSTEAD);
            return;
        }
        if (t.isCacheAuto() && !cost.wins()) {
            say.accept("feature cache: it would not pay, " + cost + INSTEAD);
            return;
        }
        Path folder = t.featureCacheFolder() == null ? ownFolder : Path.of(t.featureCacheFolder());
        say.accept("feature cache: %d variations of %,d images%s, %s in %s; %s".formatted(FrozenPrefix.views(setup),
                setup.train().size(), setup.validation().map(v -> " and %,d to validate with".formatted(v.size())).orElse(""),
                megabytes(bytes), inMemory ? "memory" : folder, cost));
        long start = System.nanoTime();
        try {
            LoaderOptions how = setup.training(prefix.batch()).inOrder();
            train = rows(shapes.train(key(setup.train(), how)), setup.train(), how, inMemory, folder);
            if (setup.validation().isPresent()) {
                LoaderOptions plain = setup.validating(prefix.batch());
                Dataset set = setup.validation().get();
                validation = rows(shapes.validation(key(set, plain)), set, plain, inMemory, folder);
            }
            say.accept("feature cache: ready after %.1f s%s".formatted((System.nanoTime() - start) / 1e9,
                    damaged() == 0 ? "" : "; %,d images are damaged".formatted(damaged())));
        } catch (IOException e) {
            closeRows();
            String wrong = "feature cache: " + (inMemory ? e.getMessage() : AtomicFolder.cannotWrite(folder, e).getMessage());
            if (!begun && !t.isCacheAuto()) {
                throw new UserError(UserError.Kind.OTHER, wrong + "; nothing is lost: make room or give another "
                        + "--feature-cache-folder, and run again with --resume").causedBy(e);
            }
            say.accept(wrong + INSTEAD);
        }
    }

    private static final String INSTEAD = "; what is frozen is computed in each step instead";

    private static String megabytes(long bytes) {
        return "%.1f MB".formatted(bytes / 1e6);
    }

    private FeatureRows rows(FeatureRows.Shape shape, Dataset set, LoaderOptions how, boolean inMemory, Path folder)
            throws IOException {
        FeatureRows.Source source = sink -> compute(shape, set, how, sink);
        return inMemory ? FeatureRows.inMemory(shape, source)
                : FeatureRows.inFile(folder.resolve(HexFormat.of().formatHex(shape.key()) + ".features"), shape, source, say);
    }

    private byte[] compute(FeatureRows.Shape shape, Dataset set, LoaderOptions how, FeatureRows.Sink sink) throws IOException {
        byte[] flags = new byte[Math.toIntExact(shape.rows())];
        int done = 0;
        long told = System.nanoTime();
        try (Loader loader = new Loader(set, how, d -> say.accept("skipping a damaged image: " + d.getMessage()))) {
            for (int view = 0; view < shape.views(); view++) {
                try (Batches batches = loader.epoch(view, 0)) {
                    while (batches.hasNext()) {
                        if (signals.requested()) {
                            throw new UserError(UserError.Kind.STOPPED, signals.name() + ": stopped while the feature cache was "
                                    + "filled; run again with --resume to go on from the last checkpoint");
                        }
                        try (Batch b = batches.next()) {
                            compute(b);
                            for (int i = 0; i < b.count(); i++) {
                                flags[done++] = (byte) (b.indices()[i] < 0 ? 0 : 1);
                            }
                            sink.put(rows.asSlice(0, (long) b.count() * rowBytes));
                        }
                        if (System.nanoTime() - told > TELL_NS) {
                            told = System.nanoTime();
                            say.accept("feature cache: %,d of %,d".formatted(done, shape.rows()));
                        }
                    }
                }
            }
        }
        return flags;
    }

    /** Runs the prefix over a batch's pixels, and gathers what it says into {@link #rows}. */
    private void compute(Batch batch) {
        pixels.put(batch, prefix);
        session.step(prefix);
        for (int k = 0, at = 0; k < values.size(); k++) {
            MemorySegment value = values.get(k);
            session.output(prefix, PlanRequest.Cut.FEATURES + k, value);
            int bytes = Math.toIntExact(value.byteSize() / prefix.batch());
            for (int i = 0; i < prefix.batch(); i++) {
                MemorySegment.copy(value, (long) i * bytes, rows, (long) i * rowBytes + at, bytes);
            }
            at += bytes;
        }
    }

    /** Whether loaders deliver kept rows. */
    boolean areKept() {
        return train != null;
    }

    Loader training() {
        return new Loader(setup.train(), setup.training(prefix.batch()), train);
    }

    Optional<Loader> validating() {
        return setup.validation().map(v -> new Loader(v, setup.validating(prefix.batch()), validation));
    }

    /** Images of both sets that could not be read; 0 where nothing is kept. */
    int damaged() {
        return (int) ((train == null ? 0 : train.damaged()) + (validation == null ? 0 : validation.damaged()));
    }

    @Override
    public void put(Batch batch, Plan plan) {
        MemorySegment from = areKept() ? batch.images() : rows;
        if (!areKept()) {
            compute(batch);
        }
        for (int k = 0, at = 0; k < values.size(); k++) {
            MemorySegment to = session.input(plan, PlanRequest.Cut.FEATURES + k);
            int bytes = Math.toIntExact(to.byteSize() / prefix.batch());
            for (int i = 0; i < prefix.batch(); i++) {
                MemorySegment.copy(from, (long) i * rowBytes + at, to, (long) i * bytes, bytes);
            }
            at += bytes;
        }
    }

    /** A digest of all that the rows depend on: images, how they are prepared, weights, and the plan. */
    private byte[] key(Dataset set, LoaderOptions how) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            Stream<String> words = Stream.of(Stream.of(set.fingerprint(), how.withWorkers(1).toString(),
                    String.valueOf(FrozenPrefix.views(setup)), setup.options().run().precision(),
                    String.valueOf(setup.options().run().threads()), setup.options().net().model(),
                    prefix.target().device().describe(), prefix.catalogue(), prefix.features().toString()),
                    Stream.concat(prefix.prepare().stream(), prefix.launches().stream()).map(Features::describe))
                    .flatMap(w -> w);
            words.forEach(w -> digest.update((w + "\n").getBytes(StandardCharsets.UTF_8)));
            for (State s : prefix.graph().states()) {
                float[] values = new float[Math.toIntExact(s.value().shape().elements())];
                session.readState(s.name(), values);
                ByteBuffer bytes = ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
                bytes.asFloatBuffer().put(values);
                digest.update((s.name() + "\n").getBytes(StandardCharsets.UTF_8));
                digest.update(bytes.array());
            }
            return digest.digest();
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    /** A launch with its kernel, and each of its ops with its attributes. */
    private static String describe(Launch l) {
        return l.name() + " " + l.kernel() + " " + l.subgraph().nodes().stream().map(n -> n.op().toString()).toList();
    }

    /** Ends the phase: a file that was for this run alone is no longer needed. */
    void discard() {
        closeRows();
        if (!Files.isDirectory(ownFolder)) {
            return;
        }
        try (Stream<Path> files = Files.list(ownFolder)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
            Files.delete(ownFolder);
        } catch (IOException e) {
            say.accept("feature cache: %s cannot be removed: %s".formatted(ownFolder, e.getMessage()));
        }
    }

    private void closeRows() {
        Stream.of(Optional.ofNullable(train), Optional.ofNullable(validation)).flatMap(Optional::stream)
                .forEach(FeatureRows::close);
        train = null;
        validation = null;
    }

    @Override
    public void close() {
        closeRows();
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
