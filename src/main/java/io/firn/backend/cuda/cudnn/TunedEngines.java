package io.firn.backend.cuda.cudnn;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Collection;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;

/**
 * Engines of which some were chosen by measurement.
 *
 * @param choices {@link Engine#choice} by {@link #key}
 */
public record TunedEngines(Engines base, Map<String, String> choices) implements Engines {

    public TunedEngines {
        choices = Map.copyOf(choices);
    }

    /** What a graph is called in a tuning table. */
    public static String key(CudnnGraph g) {
        try {
            return "cudnn " + HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256")
                    .digest(g.toString().getBytes(StandardCharsets.UTF_8)), 0, 16);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    private Optional<String> choice(CudnnGraph g) {
        return Optional.ofNullable(choices.get(key(g)));
    }

    /** The one that was chosen; where this library has it no more, its own best. */
    @Override
    public Optional<Engine> engine(CudnnGraph g) {
        return choice(g).flatMap(c -> base.engine(g, c)).or(() -> base.engine(g));
    }

    @Override
    public Optional<byte[]> plan(CudnnGraph g) {
        return choice(g).flatMap(c -> base.plan(g, c)).or(() -> base.plan(g));
    }

    @Override
    public void prepare(Collection<CudnnGraph> graphs) {
        base.prepare(graphs.stream().filter(g -> choice(g).isEmpty()).toList());
        graphs.stream().filter(g -> choice(g).isPresent()).forEach(this::engine);
    }

    @Override
    public String refusal(CudnnGraph g) {
        return base.refusal(g);
    }

    @Override
    public String versions() {
        return base.versions();
    }
}
