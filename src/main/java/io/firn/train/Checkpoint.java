package io.firn.train;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.firn.backend.Session;
import io.firn.data.Dataset;
import io.firn.error.UserError;
import io.firn.plan.TuningTable;
import io.firn.weights.Safetensors;
import io.firn.weights.Tensor;
import io.firn.weights.Weights;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.SortedMap;

/**
 * All that an exact resume needs, as one folder: {@code states.safetensors} (parameters, running statistics the
 * optimizer's slots and moving averages, bit for bit), {@code config.toml}, and {@code checkpoint.json}, which is this record.
 *
 * @param format   of this folder
 * @param position that the run is at
 * @param data     fingerprint of the training set
 * @param validation of the validation set; empty where there is none
 * @param tuning   the measured choices that the plans were made with
 * @param states   SHA-256 of the states' file
 */
record Checkpoint(int format, Position position, String data, String validation, SortedMap<String, String> tuning,
                  String states) {
    private static final int FORMAT = 3;
    private static final String STATES = "states.safetensors";
    private static final String CONFIG = "config.toml";
    private static final String RECORD = "checkpoint.json";
    private static final ObjectMapper JSON = JsonMapper.builder()
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE).enable(SerializationFeature.INDENT_OUTPUT)
            .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES).build();

    /**
     * Replaces the checkpoint as a whole. States that are not finite are refused, since there is nothing to resume.
     *
     * @throws UserError (diverged), (other) where it cannot be written; the one before then stays
     */
    static void write(Path folder, Session session, Position at, Setup setup, TuningTable tuning) {
        States states = new States(session);
        AtomicFolder.write(folder, inside -> {
            Path file = inside.resolve(STATES);
            states.write(file);
            setup.options().config().write(inside.resolve(CONFIG));
            var record = new Checkpoint(FORMAT, at, setup.train().fingerprint(), validation(setup), tuning.choices(),
                    sha256(file));
            Files.write(inside.resolve(RECORD), JSON.writeValueAsBytes(record));
        });
    }

    private static String validation(Setup setup) {
        return setup.validation().map(Dataset::fingerprint).orElse("");
    }

    /**
     * Refuses other images than the run began with.
     *
     * @throws UserError (data) that says whether those to train or to validate on have changed
     */
    void checkData(Setup setup) {
        DataOptions d = setup.options().data();
        if (!data.equals(setup.train().fingerprint())) {
            throw changed("--data " + d.data());
        }
        if (!validation.equals(validation(setup))) {
            throw changed(d.val() != null ? "--val " + d.val() : "the validation set of --data " + d.data());
        }
    }

    private static UserError changed(String what) {
        return UserError.data("%s has changed since the run began; go on with the same images, or choose another --output",
                what);
    }

    /**
     * Reads the record of a checkpoint; null where there is none.
     *
     * @throws UserError (data) where it is damaged
     */
    static Checkpoint read(Path folder) {
        Path file = folder.resolve(RECORD);
        if (!Files.exists(folder)) {
            return null;
        }
        try {
            JsonNode tree = JSON.readTree(Files.readAllBytes(file));
            if (tree.path("format").asInt() != FORMAT && tree.path("format").isInt()) {
                throw UserError.data("%s was written by another version of Firn (format %d, this one reads %d)", folder,
                        tree.path("format").asInt(), FORMAT);
            }
            Checkpoint c = JSON.treeToValue(tree, Checkpoint.class);
            if (!sha256(folder.resolve(STATES)).equals(c.states)) {
                throw UserError.data("%s is damaged: %s has another checksum than when it was written", folder, STATES);
            }
            return c;
        } catch (JacksonException e) {
            throw UserError.data("%s is damaged: %s", file, String.valueOf(e.getOriginalMessage()).lines().findFirst()
                    .orElse("")).causedBy(e);
        } catch (IOException e) {
            throw UserError.data("%s cannot be read: %s", folder, e).causedBy(e);
        }
    }

    /** The options of the run that a checkpoint belongs to. */
    static Config config(Path folder) {
        return TrainOptions.read(folder.resolve(CONFIG));
    }

    /** Puts the states into a session, whose program must have the same. */
    static void restore(Path folder, Session session) {
        Weights saved = Safetensors.read(folder.resolve(STATES));
        States.lasting(session).forEach(state -> {
            String name = state.name();
            Tensor t = saved.tensors().get(name);
            if (t == null || !t.shape().equals(state.value().shape())) {
                throw UserError.data("%s: its states do not fit the model: %s", folder, name);
            }
            session.writeState(name, t.data());
        });
    }

    private static String sha256(Path file) throws IOException {
        try (InputStream in = new DigestInputStream(Files.newInputStream(file), MessageDigest.getInstance("SHA-256"))) {
            in.transferTo(OutputStream.nullOutputStream());
            return HexFormat.of().formatHex(((DigestInputStream) in).getMessageDigest().digest());
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
