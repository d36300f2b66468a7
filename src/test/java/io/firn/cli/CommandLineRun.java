package io.firn.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.firn.train.Devices;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** What one command line in this process came to. */
record CommandLineRun(int code, String out, String err) {

    /** Runs it on a {@link PlainDevice}. */
    static CommandLineRun of(String... args) {
        return of(PlainDevice::new, args);
    }

    /** Runs it on this machine's own devices. */
    static CommandLineRun here(Object... args) {
        return of(Devices::local, Arrays.stream(args).map(Object::toString).toArray(String[]::new));
    }

    private static CommandLineRun of(Devices devices, String... args) {
        var out = new ByteArrayOutputStream();
        var err = new ByteArrayOutputStream();
        int code = Main.run(args, new PrintStream(out), new PrintStream(err), devices);
        return new CommandLineRun(code, out.toString(), err.toString());
    }

    /** Standard output as the one JSON document that it must be. */
    JsonNode json() {
        try {
            return new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).readTree(out);
        } catch (JsonProcessingException e) {
            throw new UncheckedIOException(e);
        }
    }

    static List<String> fields(JsonNode node) {
        return node.properties().stream().map(Map.Entry::getKey).toList();
    }
}
