package io.firn.train;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.firn.backend.Session;
import io.firn.error.UserError;
import io.firn.files.AtomicFile;
import io.firn.graph.Graph;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.State;
import io.firn.plan.FreezeSpec;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Collections;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;

/**
 * Whether what is frozen is still what it was when the run began, bit for bit: a run's {@code freeze.json}. Plans write no
 * frozen tensor by construction; this looks at the tensors themselves, in whichever process the run ends.
 *
 * @param freeze    what was asked for
 * @param digest    of which each tensor's is: its bytes as little-endian floats, in torchvision's layout
 * @param values    numbers in all of them
 * @param tensors   digests at the run's start by name: frozen parameters, and the running statistics of frozen batch norms
 * @param checked   the step at which they were last compared; null before the first time
 * @param identical whether they were the same then; null before the first time
 */
record FreezeAudit(String freeze, String digest, long values, SequencedMap<String, String> tensors, Long checked,
                   Boolean identical) {
    private static final String DIGEST = "SHA-256";
    private static final int MOST_LISTED = 5;
    private static final ObjectMapper JSON = JsonMapper.builder()
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE).enable(SerializationFeature.INDENT_OUTPUT).build();

    FreezeAudit {
        tensors = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(tensors));
    }

    /** Copies a state's numbers. */
    @FunctionalInterface
    interface States {
        float[] read(State state);

        static States of(Session session) {
            return state -> {
                float[] values = new float[Math.toIntExact(state.value().shape().elements())];
                session.readState(state.name(), values);
                return values;
            };
        }
    }

    /**
     * The states that are not to change while these parameters are frozen, in the model's order: they, with either affine
     * parameter of a batch norm the other one, and its running statistics.
     */
    static List<State> frozenStates(Graph model, Set<String> frozen) {
        Set<String> names = new LinkedHashSet<>(FreezeSpec.withWholeNorms(model, frozen));
        for (Node n : model.nodes()) {
            if (n.op() instanceof Normalization.BatchNorm && names.contains(n.input(1).name())) {
                names.add(n.input(3).name());
                names.add(n.input(4).name());
            }
        }
        return model.states().stream().filter(s -> names.contains(s.name())).toList();
    }

    /** Notes what is there. */
    static FreezeAudit of(String freeze, List<State> frozen, States states) {
        SequencedMap<String, String> tensors = new LinkedHashMap<>();
        frozen.forEach(s -> tensors.put(s.name(), digest(states.read(s))));
        return new FreezeAudit(freeze, DIGEST, frozen.stream().mapToLong(s -> s.value().shape().elements()).sum(), tensors,
                null, null);
    }

    /**
     * Goes on with what an earlier process of the run noted, or notes what is there where there is none; empty where
     * nothing is frozen.
     */
    static Optional<FreezeAudit> begin(Path file, boolean resumed, String freeze, List<State> frozen, States states) {
        if (frozen.isEmpty()) {
            return Optional.empty();
        }
        if (resumed && Files.exists(file)) {
            return Optional.of(read(file));
        }
        FreezeAudit audit = of(freeze, frozen, states);
        audit.write(file);
        return Optional.of(audit);
    }

    /**
     * Compares tensors with what they were at the run's start, and writes what came of it.
     *
     * @param now  which of them are still frozen
     * @param step steps of the run that are done
     * @return a line that says what was found
     * @throws UserError (other) that names the tensors that changed
     */
    String check(Path file, List<State> now, States states, long step) {
        List<String> changed = now.stream().filter(s -> !digest(states.read(s)).equals(tensors.get(s.name())))
                .map(State::name).toList();
        new FreezeAudit(freeze, digest, values, tensors, step, changed.isEmpty()).write(file);
        if (!changed.isEmpty()) {
            throw UserError.other("%d frozen tensors changed during the run, which is a defect of Firn or of the machine: "
                    + "%s%s; %s has their digests at the start, and no weights were written", changed.size(),
                    String.join(", ", changed.subList(0, Math.min(MOST_LISTED, changed.size()))),
                    changed.size() > MOST_LISTED ? ", …" : "", file);
        }
        return "frozen: %,d tensors of %,d numbers, running statistics included, are bit for bit what they were"
                .formatted(now.size(), now.stream().mapToLong(s -> s.value().shape().elements()).sum());
    }

    private void write(Path file) {
        try {
            AtomicFile.write(file, JSON.writeValueAsBytes(this));
        } catch (JacksonException e) {
            throw new IllegalStateException(e);
        }
    }

    private static FreezeAudit read(Path file) {
        try {
            FreezeAudit audit = JSON.readValue(Files.readAllBytes(file), FreezeAudit.class);
            if (!DIGEST.equals(audit.digest)) {
                throw UserError.data("%s holds digests of kind %s, where %s is known", file, audit.digest, DIGEST);
            }
            return audit;
        } catch (JacksonException | NullPointerException e) {
            throw UserError.data("%s is damaged: %s", file, String.valueOf(e.getMessage()).lines().findFirst().orElse(""))
                    .causedBy(e);
        } catch (IOException e) {
            throw UserError.data("%s cannot be read: %s", file, e).causedBy(e);
        }
    }

    private static String digest(float[] values) {
        try {
            MessageDigest digest = MessageDigest.getInstance(DIGEST);
            ByteBuffer bytes = ByteBuffer.allocate(Math.min(values.length, 1 << 16) * Float.BYTES);
            for (int from = 0; from < values.length; from += 1 << 16) {
                int n = Math.min(values.length - from, 1 << 16);
                MemorySegment.copy(MemorySegment.ofArray(values), (long) from * Float.BYTES, MemorySegment.ofBuffer(bytes), 0,
                        (long) n * Float.BYTES);
                digest.update(bytes.slice(0, n * Float.BYTES));
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
