package io.firn.backend.cuda;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.firn.error.UserError;
import io.firn.graph.Op;
import io.firn.plan.Target;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;

/** GPUs to plan for that need not be present: what they are and reach, as resources beside this class, or as files. */
public final class CudaTarget {
    private static final List<String> NAMES = List.of("h100", "h200", "a100", "l4", "l40s", "rtx4090");
    private static final JsonMapper JSON = JsonMapper.builder().enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES,
            DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES).build();
    private static final String FILE = ".json";
    private static final long MOST_BYTES = 1 << 20;

    private CudaTarget() {
    }

    /**
     * A resource, or a file like them.
     *
     * @param rates  null in a file where nothing was measured
     * @param device what cuDNN is told of a device that is not there (its JSON representation of device properties)
     */
    private record Description(String name, Speeds rates, JsonNode device) {
        private Description {
            Op.check(name != null && !name.isBlank() && device != null && device.isObject(), "a name or a device is missing");
        }
    }

    private record Speeds(Speed half, Speed tf32, Speed fp32, Speed vector, Speed bandwidth,
                          @JsonProperty("launch_microseconds") double launchMicroseconds, String note) {
        private Speeds {
            Op.check(half != null && tf32 != null && fp32 != null && vector != null && bandwidth != null, "a rate is missing");
        }
    }

    /**
     * Operations or bytes a second.
     *
     * @param reached the share of the peak that large operands reach
     */
    private record Speed(double peak, double reached, String source) {
        private Speed {
            Op.check(peak > 0 && peak < Double.POSITIVE_INFINITY, "a peak of %s", peak);
            Op.check(reached > 0 && reached <= 1, "%s of the peak is no share of it", reached);
        }

        double rate() {
            return peak * reached;
        }
    }

    public static List<String> names() {
        return NAMES;
    }

    /**
     * The target of that name, or the one that a file describes.
     *
     * @param name of a GPU, or of a file that ends in {@code .json}: one of {@code firn info --export-target}, whose rates
     *             may be missing, or one with measured rates
     * @param near finds what a mistyped name may have meant
     * @throws UserError where there is none (usage, with near names), or where the file is none of a target (data)
     */
    public static Target of(String name, Function<String, List<String>> near) {
        if (name.endsWith(FILE)) {
            return file(Path.of(name));
        }
        if (!NAMES.contains(name.toLowerCase(Locale.ROOT))) {
            List<String> closest = near.apply(name);
            throw UserError.usage("--target %s: no device has that name; %s", name, closest.isEmpty()
                    ? "there are cpu, %s, and files (%s) of firn info --export-target".formatted(String.join(", ", NAMES), FILE)
                    : "did you mean " + String.join(" or ", closest) + "?");
        }
        Description d = read(name.toLowerCase(Locale.ROOT));
        return new Target(d.name, device(properties(d)), rates(d));
    }

    private static Target file(Path file) {
        try {
            if (Files.size(file) > MOST_BYTES) {
                throw UserError.data("%s: no description of a GPU has %d bytes", file, Files.size(file));
            }
            Description d = JSON.readValue(file.toFile(), Description.class);
            Op.check(d != null, "it is empty");
            GpuProperties gpu = properties(d);
            return new Target(d.name, device(gpu), d.rates == null ? of(gpu).rates() : rates(d));
        } catch (JsonProcessingException | IllegalArgumentException e) {
            String why = e instanceof JsonProcessingException j ? j.getOriginalMessage() : e.getMessage();
            throw UserError.data("%s is no description of a GPU: %s; firn info --export-target writes one", file,
                    why.lines().findFirst().orElse(""));
        } catch (IOException e) {
            throw UserError.data("--target %s cannot be read: %s", file,
                    e instanceof NoSuchFileException ? "there is no such file" : e.getMessage());
        }
    }

    private static GpuProperties properties(Description d) {
        try {
            return JSON.treeToValue(d.device, GpuProperties.class);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException(e.getOriginalMessage(), e);
        }
    }

    private static Target.Device.Gpu device(GpuProperties gpu) {
        return new Target.Device.Gpu(gpu.deviceName(), gpu.deviceVer() / 10, gpu.multiProcessorCount(), gpu.totalGlobalMem(),
                json(gpu));
    }

    private static Target.Rates rates(Description d) {
        Speeds r = d.rates;
        return new Target.Rates(r.fp32.rate(), r.tf32.rate(), r.half.rate(), r.vector.rate(), r.bandwidth.rate(),
                r.launchMicroseconds * 1e-6, "%s; %s".formatted(r.half.source, r.note));
    }

    /**
     * A GPU of which the properties are known alone. Where nothing is known of its kind, its rates are those of the known one
     * that is nearest in compute capability and then in size, scaled by multiprocessors.
     */
    static Target of(GpuProperties gpu) {
        Target.Device.Gpu device = device(gpu);
        String name = TargetFile.of(gpu).name();
        Description nearest = NAMES.stream().map(CudaTarget::read).min(Comparator
                .comparingInt((Description d) -> d.device.get("deviceName").asText().equals(gpu.deviceName()) ? 0 : 1)
                .thenComparingInt(d -> Math.abs(d.device.get("deviceVer").asInt() - gpu.deviceVer()))
                .thenComparingInt(d -> Math.abs(d.device.get("multiProcessorCount").asInt() - gpu.multiProcessorCount())))
                .orElseThrow();
        Target.Rates r = rates(nearest);
        if (nearest.device.get("deviceName").asText().equals(gpu.deviceName())) {
            return new Target(nearest.name, device, r);
        }
        double size = (double) gpu.multiProcessorCount() / nearest.device.get("multiProcessorCount").asInt();
        return new Target(name, device, new Target.Rates(size * r.fp32(), size * r.tf32(), size * r.half(),
                size * r.vector(), size * r.bandwidth(), r.launchSeconds(),
                "those of %s by multiprocessors: assumed".formatted(nearest.name)));
    }

    /** As cuDNN takes a device's properties. */
    static String json(GpuProperties gpu) {
        return JSON.valueToTree(gpu).toString();
    }

    private static Description read(String name) {
        try (InputStream in = CudaTarget.class.getResourceAsStream(name + ".json")) {
            return JSON.readValue(in, Description.class);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
