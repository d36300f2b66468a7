package io.firn.cluster;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.firn.error.UserError;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** A line of JSON between rank 0 and another rank. */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "line")
@JsonSubTypes({@JsonSubTypes.Type(value = Line.Hello.class, name = "hello"),
        @JsonSubTypes.Type(value = Line.Welcome.class, name = "welcome"),
        @JsonSubTypes.Type(value = Line.Beat.class, name = "beat"),
        @JsonSubTypes.Type(value = Line.End.class, name = "end")})
@JsonInclude(JsonInclude.Include.NON_NULL)
sealed interface Line {
    /** Longer ones come from no rank. */
    int LONGEST = 1 << 20;

    /**
     * A rank comes.
     *
     * @param job  what all processes of the job have in common
     * @param port where it awaits the rank before it
     * @param who  machine and process, for people
     */
    record Hello(String job, int rank, int ranks, int port, String who) implements Line {
    }

    /** All ranks are here: where each awaits the one before it; an empty host is that of rank 0. */
    record Welcome(List<Address> addresses) implements Line {
    }

    record Address(String host, int port) {
    }

    /**
     * A sign of life.
     *
     * @param exchange the last one that was begun
     * @param waiting  whether it is still on
     * @param busy     whether this rank is at something long
     */
    record Beat(long exchange, boolean waiting, boolean busy) implements Line {
    }

    /** A rank ends, or all are to; without a kind since the work is done. */
    record End(UserError.Kind kind, String why) implements Line {
    }

    JsonMapper JSON = JsonMapper.builder().build();

    default void write(OutputStream to) throws IOException {
        byte[] bytes = (JSON.writeValueAsString(this) + "\n").getBytes(StandardCharsets.UTF_8);
        synchronized (to) {
            to.write(bytes);
            to.flush();
        }
    }

    /**
     * The next line; null at the end.
     *
     * @throws IOException also where it is none of ours
     */
    static Line read(InputStream from) throws IOException {
        var bytes = new java.io.ByteArrayOutputStream();
        for (int b = from.read(); b != '\n'; b = from.read()) {
            if (b < 0) {
                return null;
            }
            if (bytes.size() == LONGEST) {
                throw new IOException("a line without end");
            }
            bytes.write(b);
        }
        try {
            return JSON.readValue(bytes.toByteArray(), Line.class);
        } catch (JacksonException e) {
            throw new IOException("no line of a rank: " + e.getOriginalMessage(), e);
        }
    }
}
