package io.firn.backend.cuda;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.firn.error.UserError;
import java.util.Locale;

/**
 * A GPU as the JSON document that describes a target.
 *
 * @param name   to plan for it by
 * @param rates  what it reaches; null, since nothing was measured
 * @param device its properties, as cuDNN takes them
 */
public record TargetFile(String name, Object rates, GpuProperties device) {
    private static final JsonMapper JSON = JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();

    public static TargetFile of(GpuProperties device) {
        String name = device.deviceName().toLowerCase(Locale.ROOT).replaceAll("^nvidia ", "").replaceAll("[^a-z0-9]+", "-");
        return new TargetFile(name, null, device);
    }

    /**
     * The first GPU here.
     *
     * @throws UserError where there is none
     */
    public static TargetFile here() {
        CudaDriver driver = CudaDriver.probe();
        if (driver.gpus().isEmpty()) {
            throw UserError.other("there is no GPU to export: %s", driver.problem());
        }
        return of(driver.gpus().getFirst().properties());
    }

    public String toJson() {
        try {
            return JSON.writeValueAsString(this);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }
}
