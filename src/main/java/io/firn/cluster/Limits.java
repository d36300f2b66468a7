package io.firn.cluster;

import io.firn.error.UserError;
import java.time.Duration;

/**
 * How long ranks wait for each other.
 *
 * @param meet   for all to come, at the start
 * @param silent without a sign of life, after which a rank counts as gone
 * @param stall  for a rank that lives, but does not come to the exchange that the others are at
 */
public record Limits(Duration meet, Duration silent, Duration stall) {

    /** @param seconds of silence; ten times as long where a rank lives and only does not come */
    public static Limits of(int seconds) {
        if (seconds < 1) {
            throw UserError.usage("--rank-timeout %d: at least 1 second", seconds);
        }
        return new Limits(Duration.ofSeconds(Math.max(120, seconds)), Duration.ofSeconds(seconds),
                Duration.ofSeconds(10L * seconds));
    }
}
