package io.firn.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.error.UserError;
import io.firn.graph.Shape;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SequencedMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Files that are whole, files that lie, and files that are damaged at random. */
class SafetensorsTest {
    @TempDir
    Path folder;

    private static Weights sample() {
        SequencedMap<String, Tensor> t = new LinkedHashMap<>();
        t.put("conv1.weight", new Tensor(Shape.of(2, 1, 1, 2), new float[]{1, -2.5f, Float.MIN_VALUE, 1e30f}));
        t.put("bn1.weight", new Tensor(Shape.of(2), new float[]{1, 1}));
        t.put("bn1.running_mean", new Tensor(Shape.of(2), new float[]{0, -0f}));
        t.put("bn1.running_var", new Tensor(Shape.of(2), new float[]{1, Float.NaN}));
        t.put("fc.weight", new Tensor(Shape.of(3, 2), new float[]{1, 2, 3, 4, 5, 6}));
        return new Weights(t, Map.of("classes", "[\"a\", \"ü\"]", "model", "resnet18"));
    }

    private Path file(byte[] bytes) throws IOException {
        return Files.write(folder.resolve("x.safetensors"), bytes);
    }

    /** A file of that header and {@code size} bytes of data. */
    private Path file(String json, int size) throws IOException {
        byte[] header = json.getBytes(StandardCharsets.UTF_8);
        return file(ByteBuffer.allocate(8 + header.length + size).order(ByteOrder.LITTLE_ENDIAN).putLong(header.length)
                .put(header).array());
    }

    private static void assertSame(Tensor actual, Tensor expected) {
        assertThat(actual.shape()).isEqualTo(expected.shape());
        assertThat(actual.data()).containsExactly(expected.data());
    }

    @Test
    void whatIsWrittenIsReadBack() throws IOException {
        Path f = folder.resolve("w.safetensors");
        Safetensors.write(f, sample(), 7);
        Weights read = Safetensors.read(f);
        assertThat(read.tensors().keySet()).containsExactly("conv1.weight", "bn1.weight", "bn1.running_mean",
                "bn1.running_var", "bn1.num_batches_tracked", "fc.weight");
        sample().tensors().forEach((name, t) -> assertSame(read.tensors().get(name), t));
        assertSame(read.tensors().get("bn1.num_batches_tracked"), Tensor.scalar(7));
        assertThat(read.metadata()).isEqualTo(sample().metadata());
        byte[] bytes = Files.readAllBytes(f);
        Safetensors.write(f, read);
        assertThat(Files.readAllBytes(f)).as("counts that are given stay").isEqualTo(bytes);
        Safetensors.write(f, sample());
        assertSame(Safetensors.read(f).tensors().get("bn1.num_batches_tracked"), Tensor.scalar(0));
    }

    @Test
    void theBytesAreThoseOfTheFormat() throws IOException {
        Path f = folder.resolve("w.safetensors");
        SequencedMap<String, Tensor> t = new LinkedHashMap<>();
        t.put("a", new Tensor(Shape.of(1), new float[]{1}));
        t.put("a.num_batches_tracked", Tensor.scalar(3));
        Safetensors.write(f, new Weights(t, Map.of()));
        ByteBuffer b = ByteBuffer.wrap(Files.readAllBytes(f)).order(ByteOrder.LITTLE_ENDIAN);
        int length = Math.toIntExact(b.getLong());
        byte[] json = new byte[length];
        b.get(json);
        assertThat(length % 8).isZero();
        assertThat(new String(json, StandardCharsets.UTF_8).stripTrailing()).isEqualTo(
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]},"
                        + "\"a.num_batches_tracked\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]}}");
        assertThat(b.getLong()).isEqualTo(3);
        assertThat(b.getFloat()).isEqualTo(1);
        assertThat(b.hasRemaining()).isFalse();
    }

    @Test
    void largeTensorsCrossTheBuffer() {
        float[] data = new float[700_001];
        Random random = new Random(1);
        for (int i = 0; i < data.length; i++) {
            data[i] = random.nextFloat();
        }
        SequencedMap<String, Tensor> t = new LinkedHashMap<>();
        t.put("big", new Tensor(Shape.of(data.length), data));
        Safetensors.write(folder.resolve("big"), new Weights(t, Map.of()));
        assertThat(Arrays.equals(Safetensors.read(folder.resolve("big")).tensors().get("big").data(), data)).isTrue();
    }

    @Test
    void otherTypesBecomeF32() throws IOException {
        String json = """
                {"d":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},"l":{"dtype":"I64","shape":[],"data_offsets":[8,16]},
                "h":{"dtype":"F16","shape":[2],"data_offsets":[16,20]},"b":{"dtype":"BF16","shape":[1],"data_offsets":[20,22]}}
                """;
        Path f = file(json, 22);
        byte[] bytes = Files.readAllBytes(f);
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).position(bytes.length - 22).putDouble(0.1).putLong(-12)
                .putShort(Float.floatToFloat16(0.5f)).putShort(Float.floatToFloat16(-65504)).putShort((short) 0x3fc0);
        SequencedMap<String, Tensor> t = Safetensors.read(file(bytes)).tensors();
        assertThat(t.get("d").data()).containsExactly(0.1f);
        assertSame(t.get("l"), Tensor.scalar(-12));
        assertThat(t.get("h").data()).containsExactly(0.5f, -65504);
        assertThat(t.get("b").data()).containsExactly(1.5f);
    }

    static Stream<Arguments> lies() {
        String a = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}";
        return Stream.of(
                Arguments.of("{\"a\":{\"dtype\":\"F32\",\"shape\":[9],\"data_offsets\":[0,8]}}", "'a' of shape [9]"),
                Arguments.of("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]}}", "'a' of shape [1]"),
                Arguments.of("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,9]}}", "bytes 0 to 9 of the 8"),
                Arguments.of("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", "bytes 8 to 0"),
                Arguments.of("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", "'a' lacks"),
                Arguments.of("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}", "natural numbers"),
                Arguments.of("{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}", "natural numbers"),
                Arguments.of("{\"a\":{\"dtype\":\"F32\",\"shape\":\"2\",\"data_offsets\":[0,8]}}", "shape of tensor 'a'"),
                Arguments.of("{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}", "'a' of shape [0] is empty"),
                Arguments.of("{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,8]}}", "at most 8"),
                Arguments.of("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967298],\"data_offsets\":[0,8]}}", "'a'"),
                Arguments.of("{\"a\":{\"dtype\":\"F32\",\"shape\":[2147483647,2147483647,4],\"data_offsets\":[0,8]}}", "'a'"),
                Arguments.of("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,99999999999999999999]}}", "JSON"),
                Arguments.of("{\"a\":{\"dtype\":\"F4\",\"shape\":[2],\"data_offsets\":[0,8]}}", "dtype 'F4'"),
                Arguments.of("{\"a\":{\"dtype\":[],\"shape\":[2],\"data_offsets\":[0,8]}}", "'a' has dtype"),
                Arguments.of("{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", "'a' lacks"),
                Arguments.of("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}}", "field 'x'"),
                Arguments.of("{\"a\":1}", "entry of 'a'"),
                Arguments.of("{\"a\\n\\u0007\":1}", "entry of 'a??'"),
                Arguments.of(a + ",\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", "Duplicate field"),
                Arguments.of(a + ",\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", "'b' begins at byte 4"),
                Arguments.of("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", "'a' begins at byte 4"),
                Arguments.of("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", "'a' ends at byte 4 of 8"),
                Arguments.of(a + ",\"__metadata__\":{\"k\":1}}", "metadata 'k'"),
                Arguments.of(a + ",\"__metadata__\":{\"k\":{\"l\":[[]]}}}", "metadata 'k'"),
                Arguments.of(a + "} x", "JSON"), Arguments.of(a + "}{}", "what follows"), Arguments.of(a, "JSON"),
                Arguments.of("[]", "the header is"), Arguments.of("{}", "ends at byte 0 of 8"), Arguments.of("  ", "missing"),
                Arguments.of("{\"a\":{\"dtype\":\"F32\",\"shape\":" + "[".repeat(9999), "nesting depth"));
    }

    @ParameterizedTest
    @MethodSource("lies")
    void liesAreNamedInOneLine(String json, String part) throws IOException {
        Path f = file(json, 8);
        assertThatThrownBy(() -> Safetensors.read(f)).isInstanceOfSatisfying(UserError.class,
                e -> assertThat(e.kind()).isEqualTo(UserError.Kind.DATA))
                .hasMessageContaining(f.toString()).hasMessageContaining(part).message().doesNotContain("\n");
    }

    @Test
    void headersLongerThanTheFileAreNotAllocated() throws IOException {
        for (long length : List.of(0L, 1L, 9L, 99_999_999L, 100_000_001L, Long.MAX_VALUE, -1L, Long.MIN_VALUE)) {
            Path f = file(ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN).putLong(length).array());
            assertThatThrownBy(() -> Safetensors.read(f)).isInstanceOf(UserError.class)
                    .hasMessageContaining("a header of " + Long.toUnsignedString(length) + " bytes in a file of 16");
        }
    }

    @Test
    void whatIsNoFileIsADataError() throws IOException {
        assertThatThrownBy(() -> Safetensors.read(folder)).isInstanceOf(UserError.class).hasMessageContaining("regular");
        assertThatThrownBy(() -> Safetensors.read(folder.resolve("none"))).isInstanceOf(UserError.class)
                .hasMessage("cannot read %s: no such file or folder", folder.resolve("none"));
        assertThatThrownBy(() -> Safetensors.read(file(new byte[0]))).isInstanceOf(UserError.class)
                .hasMessageContaining("0 bytes are no safetensors file");
    }

    /** Tensors are read when they are asked for: whatever becomes of the file until then, it is the same file or an error. */
    @Test
    void filesThatChangeLaterDoNoHarm() throws IOException {
        Path f = folder.resolve("w.safetensors");
        Safetensors.write(f, sample(), 7);
        Weights read = Safetensors.read(f);
        SequencedMap<String, Tensor> other = new LinkedHashMap<>();
        other.put("fc.weight", new Tensor(Shape.of(3, 2), new float[6]));
        Safetensors.write(f, new Weights(other, Map.of()));
        sample().tensors().forEach((name, t) -> assertSame(read.tensors().get(name), t));

        Weights later = Safetensors.read(f);
        Files.write(f, Arrays.copyOf(Files.readAllBytes(f), (int) Files.size(f) - 1));
        assertThatThrownBy(() -> later.tensors().get("fc.weight").data()).isInstanceOfSatisfying(UserError.class,
                e -> assertThat(e.kind()).isEqualTo(UserError.Kind.DATA)).hasMessageContaining(f.toString());
    }

    /** A damaged file is either read (where a flip hit a number) or refused; nothing else escapes. */
    @Test
    void randomDamageIsRefusedOrRead() throws IOException {
        Path f = folder.resolve("w.safetensors");
        Safetensors.write(f, sample(), 7);
        byte[] whole = Files.readAllBytes(f);
        Random random = new Random(20);
        int refused = 0;
        for (int i = 0; i < 1500; i++) {
            byte[] bytes = damage(whole, random);
            Files.write(f, bytes);
            try {
                Safetensors.read(f).tensors().values().forEach(t -> assertThat(t.data().length).isLessThan(50));
            } catch (UserError e) {
                refused++;
                assertThat(e.kind()).isEqualTo(UserError.Kind.DATA);
                assertThat(e.getMessage()).contains(f.toString()).doesNotContain("\n").hasSizeLessThan(600);
            }
        }
        assertThat(refused).isBetween(800, 1499);
    }

    private static byte[] damage(byte[] whole, Random random) {
        byte[] bytes = whole.clone();
        return switch (random.nextInt(4)) {
            case 0 -> Arrays.copyOf(bytes, random.nextInt(bytes.length));
            case 1 -> Arrays.copyOf(bytes, bytes.length + 1 + random.nextInt(9));
            default -> {
                for (int n = 1 + random.nextInt(4); n > 0; n--) {
                    // Mostly in the header, where damage can do most.
                    int at = random.nextInt(random.nextInt(4) == 0 ? bytes.length : bytes.length - 60);
                    bytes[at] = random.nextBoolean() ? (byte) (bytes[at] ^ 1 << random.nextInt(8))
                            : (byte) "{}[]\",:0129-\\ \n".charAt(random.nextInt(15));
                }
                yield bytes;
            }
        };
    }
}
