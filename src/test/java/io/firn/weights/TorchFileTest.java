package io.firn.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.error.UserError;
import io.firn.graph.Shape;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntToDoubleFunction;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Files that PyTorch wrote (benchmarks/reference/make_weight_files.py), hostile ones, and damaged ones. */
@Timeout(60)
class TorchFileTest {
    @TempDir
    private Path folder;

    static Path resource(String name) {
        try {
            return Path.of(TorchFileTest.class.getResource(name).toURI());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Element i has (i - n) / 8. */
    private static Tensor numbers(int n, int... dims) {
        return tensor(Shape.of(dims), i -> (i - n) / 8.0);
    }

    private static Tensor tensor(Shape shape, IntToDoubleFunction f) {
        float[] data = new float[(int) shape.elements()];
        for (int i = 0; i < data.length; i++) {
            data[i] = (float) f.applyAsDouble(i);
        }
        return new Tensor(shape, data);
    }

    private static Map<String, Tensor> state() {
        Map<String, Tensor> t = new LinkedHashMap<>();
        t.put("f32", numbers(0, 2, 3));
        t.put("f16", numbers(1, 5));
        t.put("bf16", numbers(2, 3, 1, 2));
        t.put("f64", numbers(3, 4));
        t.put("scalar", Tensor.scalar(2.5f));
        t.put("bn.running_var", numbers(4, 3));
        t.put("bn.num_batches_tracked", Tensor.scalar(1_234_567));
        t.put("transposed", tensor(Shape.of(4, 6), i -> (i % 6 * 4 + i / 6 - 20) / 8.0));
        t.put("columns", tensor(Shape.of(4, 2), i -> (4 + i / 2 * 4 + i % 2 * 2 - 20) / 8.0));
        t.put("tail", tensor(Shape.of(2, 4), i -> (16 + i - 20) / 8.0));
        t.put("shared", numbers(20, 6, 4));
        t.put("channels_last", numbers(5, 2, 3, 2, 2));
        t.put("expanded", tensor(Shape.of(3, 2), i -> (i / 2 - 6) / 8.0));
        t.put("parameter", numbers(7, 2, 2));
        t.put("conv1d", numbers(8, 2, 2, 2));
        return t;
    }

    @ParameterizedTest
    @ValueSource(strings = {"state.pth", "state-first-format.pth", "state-protocol4.pth",
            "state-first-format-protocol4.pth"})
    void typesViewsAndSharedStoragesAreRead(String name) {
        WeightFile read = WeightFile.read(resource(name));
        assertThat(read.format()).isEqualTo(WeightFile.Format.TORCH);
        assertThat(read.messages()).isEmpty();
        assertThat(read.weights().metadata()).isEmpty();
        assertThat(read.weights().tensors().keySet()).containsExactlyElementsOf(state().keySet());
        state().forEach((key, t) -> {
            Tensor found = read.weights().tensors().get(key);
            assertThat(found.shape()).as(key).isEqualTo(t.shape());
            assertThat(found.data()).as(key).containsExactly(t.data());
        });
    }

    @Test
    void theNameDoesNotMatter() throws IOException {
        Path copy = Files.copy(resource("state.pth"), folder.resolve("weights.safetensors"));
        assertThat(WeightFile.read(copy).format()).isEqualTo(WeightFile.Format.TORCH);
    }

    @ParameterizedTest
    @ValueSource(strings = {"checkpoint.pth", "checkpoint-first-format.pth"})
    void theStateDictOfACheckpointIsFound(String name) {
        WeightFile read = WeightFile.read(resource(name));
        assertThat(read.messages()).containsExactly("took the state dict under 'model_ema', and not 'model'",
                "took the prefix 'module.' off every name");
        assertThat(read.weights().tensors().keySet()).containsExactly("conv1.weight", "bn1.weight", "bn1.bias",
                "bn1.running_mean", "bn1.running_var", "bn1.num_batches_tracked", "fc.weight", "fc.bias");
        assertThat(read.weights().tensors().get("fc.weight").data()).containsExactly(numbers(3, 5, 4).data());
    }

    @Test
    void aWholeModuleIsRefused() {
        refused(resource("module.pth"), "it refers to '__main__.Net', which is more than weights, and nothing in a file is "
                + "run here: save model.state_dict() alone");
    }

    private static void refused(Path file, String part) {
        assertThatThrownBy(() -> WeightFile.read(file)).isInstanceOfSatisfying(UserError.class,
                e -> assertThat(e.kind()).isEqualTo(UserError.Kind.DATA)).hasMessageContaining(file.toString())
                .hasMessageContaining(part).message().doesNotContain("\n");
    }

    /** An archive as torch.save's, whose pickle has these bytes (characters up to 255). */
    private Path archive(String pickle, Map<String, byte[]> storages) throws IOException {
        var bytes = new ByteArrayOutputStream();
        try (var zip = new ZipOutputStream(bytes)) {
            stored(zip, "x/data.pkl", pickle.getBytes(StandardCharsets.ISO_8859_1));
            for (Map.Entry<String, byte[]> s : storages.entrySet()) {
                stored(zip, "x/data/" + s.getKey(), s.getValue());
            }
        }
        return Files.write(folder.resolve("x.pth"), bytes.toByteArray());
    }

    private static void stored(ZipOutputStream zip, String name, byte[] data) throws IOException {
        CRC32 crc = new CRC32();
        crc.update(data);
        ZipEntry e = new ZipEntry(name);
        e.setMethod(ZipEntry.STORED);
        e.setSize(data.length);
        e.setCrc(crc.getValue());
        zip.putNextEntry(e);
        zip.write(data);
        zip.closeEntry();
    }

    /** A dictionary with the tensor "a" over the storage "0" of 4 floats. */
    private static String tensor(String offset, String sizes, String strides) {
        return "\u0080\u0002}X\u0001\0\0\0a" + "ctorch._utils\n_rebuild_tensor_v2\n("
                + "(X\u0007\0\0\0storagectorch\nFloatStorage\nX\u0001\0\0\u00000X\u0003\0\0\0cpuK\u0004tQ"
                + offset + sizes + strides + "\u0089}tRs.";
    }

    @Test
    void viewsAreHeldAgainstTheirStorage() throws IOException {
        Map<String, byte[]> four = Map.of("0", new byte[16]);
        assertThat(WeightFile.read(archive(tensor("K\0", "K\u0004\u0085", "K\u0001\u0085"), four)).weights().tensors().get("a")
                .data()).containsExactly(0, 0, 0, 0);
        String big = "J\u00ff\u00ff\u00ff\u007f";
        for (List<String> lie : List.of(List.of("K\u0001", "K\u0004\u0085", "K\u0001\u0085"),
                List.of("K\0", "K\u0005\u0085", "K\u0001\u0085"), List.of("K\0", "K\u0003\u0085", "K\u0002\u0085"),
                List.of("J\u00ff\u00ff\u00ff\u00ff", "K\u0001\u0085", "K\u0001\u0085"),
                List.of("K\u0003", "K\u0002\u0085", "J\u00ff\u00ff\u00ff\u00ff\u0085"),
                List.of("K\0", big + big + "\u0086", big + "K\u0001\u0086"),
                List.of("\u008a\u0008\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u007f", "K\u0001\u0085", "K\u0001\u0085"))) {
            refused(archive(tensor(lie.get(0), lie.get(1), lie.get(2)), four), "tensor 'a'");
        }
        refused(archive(tensor("K\0", big + "\u0085", "K\0\u0085"), four), "tensor 'a' of shape [2147483647] is too large");
        refused(archive(tensor("K\0", "J\0\0\0\u0010\u0085", "K\0\u0085"), four), "more numbers than the file has bytes");
        refused(archive(tensor("K\0", "K\0\u0085", "K\u0001\u0085"), four), "is empty");
        refused(archive(tensor("K\0", "K\u0004\u0085", "K\u0001\u0085"), Map.of("0", new byte[15])), "no storage '0' of 16");
        refused(archive(tensor("K\0", "K\u0004\u0085", "K\u0001\u0085"), Map.of()), "no storage '0' of 16");
    }

    static Stream<Arguments> hostile() {
        return Stream.of(
                Arguments.of("cos\nsystem\n(X\u0002\0\0\0idtR.", "it refers to 'os.system'"),
                Arguments.of("cbuiltins\neval\n.", "it refers to 'builtins.eval'"),
                Arguments.of("X\u0008\0\0\0builtinsX\u0004\0\0\0exec\u0093.", "it refers to 'builtins.exec'"),
                Arguments.of("ctorch.nn.modules.linear\nLinear\n.", "it refers to 'torch.nn.modules.linear.Linear'"),
                Arguments.of("(ios\nsystem\n.", "instruction 0x69"),
                Arguments.of("P0\n.", "instruction 0x50"),
                Arguments.of("\u0082\u0001.", "instruction 0x82"),
                Arguments.of("X\u00ff\u00ff\u00ff\u007f", "ends within 2147483647 bytes of which 0 are there"),
                Arguments.of("\u008d\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff", "ends within 18446744073709551615 bytes"),
                Arguments.of("\u008b\u00ff\u00ff\u00ff\u00ff", "ends within 4294967295 bytes"),
                Arguments.of("h\u0001.", "recalls what it never kept"),
                Arguments.of("R.", "has no sequence"),
                Arguments.of(".", "has no value"),
                Arguments.of("(.", "has no value"),
                Arguments.of("t.", "has no mark"),
                Arguments.of("}K\u0001e.", "has no mark"),
                Arguments.of("}(K\u0001u.", "a key without a value"),
                Arguments.of("K\u0001K\u0001a.", "appends to what is no list"),
                Arguments.of("K\u0001(u.", "sets an entry of what is no dictionary"),
                Arguments.of("K\u0001.", "holds no state dict"),
                Arguments.of("ctorch._utils\n_rebuild_tensor_v2\n)R.", "has no storage as its argument 1"),
                Arguments.of("K\u0001Q.", "is no tuple"),
                Arguments.of("\u0080\u0063.", "protocol 99"),
                Arguments.of("cabc", "ends within a name"),
                Arguments.of("]q\u0001h\u0001a0}.", "no tensor"));
    }

    @ParameterizedTest
    @MethodSource("hostile")
    void hostilePicklesAreErrors(String pickle, String part) throws IOException {
        Path file = archive(pickle, Map.of());
        if (part.equals("no tensor")) {
            // A list that contains itself harms nobody.
            assertThat(WeightFile.read(file).weights().tensors()).isEmpty();
        } else {
            refused(file, part);
        }
    }

    @Test
    void whatGrowsWithoutBytesIsStopped() throws IOException {
        refused(archive("]".repeat(1_100_000) + ".", Map.of()), "more than 1,000,000 objects");
        refused(archive("]" + "\u0094".repeat(1_100_000) + ".", Map.of()), "more than 1,000,000 objects");
        String pairs = "(" + "K\u0001K\u0001\u0086".repeat(10_000) + "lq\u0001";
        refused(archive(pairs + ("ccollections\nOrderedDict\nh\u0001\u0085R").repeat(200) + ".", Map.of()), "objects");
        StringBuilder nested = new StringBuilder("]");
        for (int i = 0; i < 100; i++) {
            nested.append("q").append((char) i).append("h").append((char) i).append("\u0086");
        }
        refused(archive(nested + ".", Map.of()), "holds no state dict");
    }

    @Test
    void archivesThatLieAreErrors() throws IOException {
        var bytes = new ByteArrayOutputStream();
        try (var zip = new ZipOutputStream(bytes)) {
            zip.putNextEntry(new ZipEntry("x/data.pkl"));
            zip.write(new byte[10_000_000]);
        }
        refused(Files.write(folder.resolve("bomb"), bytes.toByteArray()), "is compressed");
        bytes.reset();
        try (var zip = new ZipOutputStream(bytes)) {
            zip.putNextEntry(new ZipEntry("word/document.xml"));
        }
        refused(Files.write(folder.resolve("other"), bytes.toByteArray()), "without data.pkl");
        byte[] big = Files.readAllBytes(resource("state.pth"));
        refused(Files.write(folder.resolve("half"), Arrays.copyOf(big, big.length / 2)), "cut short or damaged");
        String text = new String(big, StandardCharsets.ISO_8859_1).replace("little", "bigger");
        refused(Files.write(folder.resolve("endian"), text.getBytes(StandardCharsets.ISO_8859_1)), "big-endian");
        refused(Files.write(folder.resolve("plain"), new byte[]{(byte) 0x80, 4, '}', '.'}), "not of torch.save");
        refused(Files.write(folder.resolve("text"), "<html>".getBytes(StandardCharsets.UTF_8)), "neither safetensors");
        refused(Files.write(folder.resolve("empty"), new byte[0]), "neither safetensors");
        refused(folder, "no regular file");
        assertThatThrownBy(() -> WeightFile.read(folder.resolve("none"))).hasMessageContaining("no such file");
    }

    @ParameterizedTest
    @ValueSource(strings = {"state.pth", "state-first-format.pth", "state-first-format-protocol4.pth", "checkpoint.pth",
            "checkpoint-first-format.pth"})
    void randomDamageIsRefusedOrRead(String name) throws IOException {
        int refused = Damage.read(Files.readAllBytes(resource(name)), folder.resolve("damaged"), 600, 7);
        assertThat(refused).isBetween(150, 599);
    }
}
