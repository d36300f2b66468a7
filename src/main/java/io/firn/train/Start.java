package io.firn.train;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.firn.error.UserError;
import io.firn.plan.Buffer;
import io.firn.plan.Launch;
import io.firn.plan.Plan;
import io.firn.plan.Program;
import io.firn.plan.TuningTable;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What rank 0 tells the others before the first step: they train what it trains, by its choices, from where it stands.
 *
 * @param config   every option as resolved
 * @param tuning   the measured choices that its plans were made with
 * @param position that the run is at
 * @param plans    fingerprint of its plans
 * @param data     fingerprint of its training set
 */
record Start(String config, Map<String, String> tuning, Position position, String plans, String data) {
    private static final JsonMapper JSON = JsonMapper.builder().build();

    static Start of(Setup s, Program program, TuningTable tuning, Position at) {
        return new Start(s.options().config().toString(), tuning.choices(), at, fingerprint(program), s.train().fingerprint());
    }

    byte[] write() {
        try {
            return JSON.writeValueAsBytes(this);
        } catch (JacksonException e) {
            throw new IllegalStateException(e);
        }
    }

    static Start read(byte[] message) {
        try {
            return JSON.readValue(message, Start.class);
        } catch (IOException e) {
            throw UserError.other("rank 0 sent what this version of Firn does not understand: %s; start all ranks with the "
                    + "same program", e.getMessage()).causedBy(e);
        }
    }

    /** The options of this rank: rank 0's, save what belongs to a machine. */
    Config options(Config own) {
        try {
            return own.only(List.of("threads", "workers", "device")).over(Config.of(
                    JSON.readValue(config, new TypeReference<Map<String, Object>>() { })));
        } catch (JacksonException e) {
            throw new IllegalStateException(e);
        }
    }

    TuningTable table() {
        return new TuningTable(new TreeMap<>(tuning));
    }

    /** @throws UserError where this rank has other images or plans otherwise than rank 0 */
    void check(Setup s, Program program) {
        if (!data.equals(s.train().fingerprint())) {
            throw UserError.data("--data %s holds other images here than on rank 0; give all ranks the same",
                    s.options().data().data());
        }
        if (!plans.equals(fingerprint(program))) {
            throw UserError.other("this machine (%s) plans otherwise than rank 0's; train on machines of one kind, with the "
                    + "same libraries", s.backend().target().device().describe());
        }
    }

    /** Of what runs, in which order and where its operands lie. */
    private static String fingerprint(Program program) {
        StringBuilder text = new StringBuilder();
        for (Plan p : program.plans()) {
            text.append(p.name()).append(p.scratch());
            for (List<Launch> list : List.of(p.prepare(), p.launches())) {
                for (Launch l : list) {
                    text.append(l.name()).append(l.kernel());
                    for (Buffer b : l.inputs()) {
                        text.append(b);
                    }
                    for (Buffer b : l.outputs()) {
                        text.append(b);
                    }
                }
            }
        }
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(
                    text.toString().getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
