package io.firn.backend.cuda;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.firn.error.UserError;
import io.firn.plan.Target;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;

/** GPUs to plan for that need not be present: what they are and reach, as resources beside this class. */
public final class CudaTarget {
    private static final List<String> NAMES = List.of("h100", "h200", "a100", "l4", "l40s", "rtx4090");
    private static final ObjectMapper JSON = new ObjectMapper();

    private CudaTarget() {
    }

    /**
     * A resource.
     *
     * @param device what cuDNN is told of a device that is not there (its JSON representation of device properties)
     */
    private record Description(String name, Speeds rates, JsonNode device) {
    }

    private record Speeds(Speed half, Speed tf32, Speed fp32, Speed vector, Speed bandwidth,
                          @JsonProperty("launch_microseconds") double launchMicroseconds, String note) {
    }

    /**
     * Operations or bytes a second.
     *
     * @param reached the share of the peak that large operands reach
     */
    private record Speed(double peak, double reached, String source) {
        double rate() {
            return peak * reached;
        }
    }

    public static List<String> names() {
        return NAMES;
    }

    /**
     * The target of that name.
     *
     * @param near finds what a mistyped name may have meant
     * @throws UserError (usage) where there is none, with near names
     */
    public static Target of(String name, Function<String, List<String>> near) {
        if (!NAMES.contains(name.toLowerCase(Locale.ROOT))) {
            List<String> closest = near.apply(name);
            throw UserError.usage("--target %s: no device has that name; %s", name, closest.isEmpty()
                    ? "there are cpu, " + String.join(", ", NAMES)
                    : "did you mean " + String.join(" or ", closest) + "?");
        }
        Description d = read(name.toLowerCase(Locale.ROOT));
        JsonNode p = d.device;
        return new Target(d.name, new Target.Device.Gpu(p.get("deviceName").asText(), p.get("deviceVer").asInt() / 10,
                p.get("multiProcessorCount").asInt(), p.get("totalGlobalMem").asLong(), p.toString()), rates(d));
    }

    private static Target.Rates rates(Description d) {
        Speeds r = d.rates;
        return new Target.Rates(r.fp32.rate(), r.tf32.rate(), r.half.rate(), r.vector.rate(), r.bandwidth.rate(),
                r.launchMicroseconds * 1e-6, "%s; %s".formatted(r.half.source, r.note));
    }

    /**
     * A GPU that is present. Where nothing is known of its kind, its rates are those of the known one that is nearest in
     * compute capability and then in size, scaled by multiprocessors.
     */
    static Target of(GpuProperties gpu) {
        String properties = json(gpu);
        var device = new Target.Device.Gpu(gpu.deviceName(), gpu.deviceVer() / 10, gpu.multiProcessorCount(),
                gpu.totalGlobalMem(), properties);
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
