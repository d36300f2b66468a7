package io.firn.cli;

import static io.firn.cli.CommandLineRun.fields;
import static org.assertj.core.api.Assertions.assertThat;

import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.train.TinyData;
import io.firn.weights.Initializer;
import io.firn.weights.Safetensors;
import io.firn.weights.Tensor;
import io.firn.weights.WeightFile;
import io.firn.weights.Weights;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code firn convert} as a user types it, and what other commands then do with its files. */
class ConvertCommandTest {
    @TempDir
    static Path shared;
    private static Path data;
    private static Path run;

    @TempDir
    private Path folder;

    @BeforeAll
    static void train() {
        data = TinyData.idx(shared.resolve("data"), 40, 20, 4);
        run = shared.resolve("run");
        var trained = CommandLineRun.here("train", "--data", data, "--model", "resnet20", "--depth", 0.3, "--batch", 8,
                "--precision", "fp32", "--max-steps", 4, "--output", run);
        assertThat(trained.code()).as(trained.err()).isZero();
    }

    private static CommandLineRun convert(Object... args) {
        Object[] all = new Object[args.length + 1];
        all[0] = "convert";
        System.arraycopy(args, 0, all, 1, args.length);
        return CommandLineRun.here(all);
    }

    private static void refused(CommandLineRun r, int code, String message) {
        assertThat(r.err().strip().lines().toList().getLast()).contains(message);
        assertThat(r.code()).isEqualTo(code);
        assertThat(r.out()).isEmpty();
    }

    private static double loss(Path init) {
        var e = CommandLineRun.here("evaluate", "--init", init, "--data", data, "--json", "--threads", 1);
        assertThat(e.code()).as(e.err()).isZero();
        return e.json().get("loss").asDouble();
    }

    @Test
    void helpShowsAnExample() {
        var help = convert("--help");
        assertThat(help.code()).isZero();
        assertThat(help.out()).contains("Example: firn convert ");
    }

    @Test
    void aRunBecomesOnnxAndSafetensorsThatNeedNothingElse() throws IOException {
        Path onnx = folder.resolve("net.onnx");
        var c = convert(run, onnx, "--json");
        assertThat(c.code()).as(c.err()).isZero();
        assertThat(fields(c.json())).containsExactly("input", "from", "output", "to", "model", "parameters", "bytes");
        assertThat(c.json().get("from").textValue()).isEqualTo("safetensors");
        assertThat(c.json().get("to").textValue()).isEqualTo("onnx");
        assertThat(c.json().get("bytes").longValue()).isEqualTo(Files.size(onnx));
        Path back = folder.resolve("back.safetensors");
        var text = convert(onnx, back);
        assertThat(text.out()).startsWith(back + ": resnet20 with ");
        assertThat(loss(onnx)).isEqualTo(loss(run)).isEqualTo(loss(back));
        Weights before = WeightFile.read(run.resolve("best.safetensors")).weights();
        Weights after = WeightFile.read(back).weights();
        assertThat(after.metadata()).isEqualTo(before.metadata());
        assertThat(after.tensors().keySet()).isEqualTo(before.tensors().keySet());
        Path folded = folder.resolve("folded.onnx");
        assertThat(convert(run, folded, "--fold").code()).isZero();
        assertThat(Files.size(folded)).isLessThan(Files.size(onnx));
        refused(convert(folded, back), 3, "folded into the convolutions");
    }

    @Test
    void safetensorsStayBitForBit() throws IOException {
        Path copy = folder.resolve("copy.safetensors");
        assertThat(convert(run, copy).code()).isZero();
        assertThat(Files.readAllBytes(copy)).isEqualTo(Files.readAllBytes(run.resolve("best.safetensors")));
    }

    /** Weights as others write them: three channels, other classes, no word of what they are. */
    private Path foreign() {
        Model m = Models.build("resnet20", ModelOptions.defaults().withClasses(7).withDepth(0.3));
        SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
        Initializer.initialize(m.graph(), 1, m.initialization()::sampler).forEach((name, values) ->
                tensors.put("module." + name, new Tensor(m.graph().state(name).value().shape(), values)));
        Path file = folder.resolve("foreign.safetensors");
        Safetensors.write(file, new Weights(tensors, Map.of()));
        return file;
    }

    @Test
    void filesOfOthersAreDescribed() {
        Path onnx = folder.resolve("net.onnx");
        refused(convert(foreign(), onnx), 2, "give --model");
        refused(convert(foreign(), onnx, "--model", "resnet20"), 3, "does not fit the model");
        refused(convert(foreign(), onnx, "--model", "resnet20", "--depth", 0.3, "--classes", 5), 3, "not that of the 5 classes");
        var c = convert(foreign(), onnx, "--model", "resnet20", "--depth", 0.3, "--channels", 1, "--resolution", 12, "--resize",
                "none");
        assertThat(c.code()).as(c.err()).isZero();
        assertThat(c.err().lines()).containsExactly("took the prefix 'module.' off every name",
                "conv1.weight: summed over its 3 channels for gray images");
        assertThat(loss(onnx)).isPositive();
    }

    @Test
    void trainingStartsFromOnnx() {
        Path onnx = folder.resolve("net.onnx");
        assertThat(convert(foreign(), onnx, "--model", "resnet20", "--depth", 0.3).code()).isZero();
        var t = CommandLineRun.here("train", "--data", data, "--model", "resnet20", "--depth", 0.3, "--batch", 8, "--max-steps",
                1, "--precision", "fp32", "--init", onnx, "--output", folder.resolve("run"));
        assertThat(t.code()).as(t.err()).isZero();
        assertThat(t.err()).contains("conv1.weight: summed over its 3 channels for gray images")
                .contains("fc: a fresh classifier of 4 classes replaces the file's, which has 7");
    }

    @Test
    void whatCannotBeWrittenOrRead() throws IOException {
        refused(convert(run, folder.resolve("net.pth")), 2, "must end with .safetensors");
        refused(convert(run, folder.resolve("net.safetensors"), "--fold"), 2, "--fold is for ONNX");
        refused(convert(folder.resolve("none"), folder.resolve("net.onnx")), 3, "no such file or run folder");
        refused(convert(Files.writeString(folder.resolve("text"), "text"), folder.resolve("net.onnx")), 3, "neither safetensors");
        refused(convert(run, folder.resolve("text/net.onnx")), 1, "cannot write");
        refused(convert(run), 2, "OUT");
        assertThat(folder.resolve("net.onnx")).doesNotExist();
    }
}
