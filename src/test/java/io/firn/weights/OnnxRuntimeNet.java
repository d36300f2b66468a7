package io.firn.weights;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.Map;

/** An ONNX file as ONNX Runtime takes it, with whatever it refuses as a failure. */
public final class OnnxRuntimeNet {
    private OnnxRuntimeNet() {
    }

    /** @param images f32 [batch, channels, side, side] */
    public static float[] logits(Path file, float[] images, int batch, int channels, int side) {
        OrtEnvironment env = OrtEnvironment.getEnvironment();
        try (var options = new OrtSession.SessionOptions()) {
            options.setIntraOpNumThreads(1);
            try (OrtSession session = env.createSession(file.toString(), options);
                 OnnxTensor in = OnnxTensor.createTensor(env, FloatBuffer.wrap(images), new long[]{batch, channels, side, side});
                 OrtSession.Result out = session.run(Map.of("image", in))) {
                FloatBuffer logits = ((OnnxTensor) out.get("logits").orElseThrow()).getFloatBuffer();
                float[] data = new float[logits.remaining()];
                logits.get(data);
                return data;
            }
        } catch (OrtException e) {
            throw new IllegalStateException(e);
        }
    }

    public static Map<String, String> metadata(Path file) {
        try (OrtSession session = OrtEnvironment.getEnvironment().createSession(file.toString())) {
            return session.getMetadata().getCustomMetadata();
        } catch (OrtException e) {
            throw new IllegalStateException(e);
        }
    }
}
