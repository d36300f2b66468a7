package io.firn.cli;

import io.firn.backend.Backend;
import io.firn.error.UserError;
import io.firn.plan.Precision;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** The options that say how a device computes. */
final class ComputeMixin {
    @Option(names = "--precision", paramLabel = "fp32|tf32|bf16|fp16|auto", defaultValue = "auto",
            converter = PrecisionConverter.class,
            description = "Of products and stored activations (default: auto, the fastest that trains as well).")
    private String precision;

    @Option(names = "--threads", paramLabel = "N", description = "Threads that compute (default: one a core).")
    private Integer threads;

    int threads() {
        if (threads != null && threads < 1) {
            throw UserError.usage("--threads %d: at least 1 computes", threads);
        }
        return threads == null ? Runtime.getRuntime().availableProcessors() : threads;
    }

    /** Whether no precision was asked for. */
    boolean isPrecisionAuto() {
        return precision.equals("auto");
    }

    /**
     * The precision on this device.
     *
     * @throws UserError where the device lacks it, naming what to use
     */
    Precision precision(Backend backend) {
        Precision chosen = precision(backend.bestPrecision());
        backend.check(chosen);
        return chosen;
    }

    /** The precision, of which a device is known to have all. */
    Precision precision(Precision best) {
        return Precision.of(precision).orElse(best);
    }

    /** Whether a number of threads was asked for. */
    boolean hasThreads() {
        return threads != null;
    }

    static final class PrecisionConverter implements ITypeConverter<String> {
        private static final List<String> NAMES = Stream.concat(Precision.labels().stream(), Stream.of("auto")).toList();

        @Override
        public String convert(String value) {
            String name = value.toLowerCase(Locale.ROOT);
            if (!NAMES.contains(name)) {
                throw new TypeConversionException("'%s' is none of %s".formatted(value, String.join(", ", NAMES)));
            }
            return name;
        }
    }
}
