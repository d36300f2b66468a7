package io.firn.oracle;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.graph.DType;
import io.firn.graph.Shape;
import io.firn.graph.Type;
import io.firn.oracle.PlanMemory.Content;
import io.firn.plan.Buffer;
import io.firn.plan.Buffer.Arena;
import io.firn.plan.Layout;
import java.util.Arrays;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Simulated arenas: layouts, rounding, and who is blamed. */
class PlanMemoryTest {
    private static final Content A = new Content("train", "a", 1);
    private static final Content B = new Content("train", "b", 2);
    private static final Type MAP = Type.f32(2, 17, 2, 3);

    private static Buffer at(long offset, Type type, Layout layout) {
        return new Buffer(Arena.SCRATCH, offset, type, layout);
    }

    private static double[] counted(Type t) {
        return IntStream.range(0, (int) t.shape().elements()).mapToDouble(i -> i + 1).toArray();
    }

    @Test
    void everyLayoutGivesBackWhatItTook() {
        for (PlanMemory m : new PlanMemory[] {new PlanBytes(0, 8192), new ShadowMemory(0, 8192)}) {
            for (Layout l : new Layout[] {Layout.DENSE, Layout.NHWC, Layout.BLOCKED16, new Layout.Opaque("x", 1024)}) {
                m.write("w", A, at(64, MAP, l), counted(MAP));
                assertThat(m.read("r", A, at(64, MAP, l))).as(l.label()).containsExactly(counted(MAP));
            }
        }
        assertThatThrownBy(() -> new ShadowMemory(0, 8192).write("w", A, at(0, MAP, new Layout.Opaque("x", 100)),
                counted(MAP))).hasMessageContaining("does not hold");
    }

    @Test
    void channelsThatPadAreZero() {
        PlanMemory m = new PlanBytes(0, 8192);
        m.poison("before", 0, 8192);
        m.write("w", A, at(0, MAP, Layout.BLOCKED16), counted(MAP));
        int elements = (int) (Layout.BLOCKED16.bytes(MAP) / 4);
        double[] all = m.read("r", A, at(0, Type.f32(elements), Layout.DENSE));
        assertThat(all).hasSize(2 * 32 * 6).doesNotContain(Double.NaN);
        assertThat(Arrays.stream(all).filter(v -> v == 0).count()).isEqualTo(2 * 15 * 6);
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void storesRoundAsTheTypeSays(DType dtype) {
        PlanMemory m = new PlanBytes(0, 64);
        Buffer b = at(0, new Type(dtype, Shape.of(3)), Layout.DENSE);
        double[] x = {1.0 / 3, 200, 17.03};
        m.write("w", A, b, x);
        assertThat(m.read("r", A, b)).containsExactly(dtype.round(x[0]), dtype.round(x[1]), dtype.round(x[2]));
        m.poison("p", 0, 64);
        assertThat(Double.isNaN(m.read("r", A, b)[0])).isEqualTo(dtype.isFloat());
    }

    @Test
    void theFirstByteThatIsAnothersIsNamed() {
        PlanMemory m = new ShadowMemory(0, 1024);
        Buffer a = at(0, Type.f32(100), Layout.DENSE);
        assertThatThrownBy(() -> m.read("reader", A, a)).hasMessageContaining("nothing was ever written");
        m.write("first", A, a, new double[100]);
        m.write("second", B, at(128, Type.f32(4), Layout.DENSE), new double[4]);
        assertThatThrownBy(() -> m.read("reader", A, a)).hasMessage("reader reads %1:a of plan train at byte 128 of the "
                + "scratch arena (128 bytes after its start), but second wrote %2:b of plan train there");
        m.write("first", A, a, new double[100]);
        assertThat(m.read("reader", A, a)).hasSize(100);
        m.poison("third", 396, 60);
        assertThatThrownBy(() -> m.read("reader", A, a)).hasMessageContaining("at byte 396")
                .hasMessageContaining("third used it as its workspace");
    }

    @Test
    void whatAnEarlierStepLeftIsNotRead() {
        PlanMemory m = new ShadowMemory(0, 1024);
        m.write("first", A, at(0, Type.f32(8), Layout.DENSE), new double[8]);
        m.write("second", B, at(64, Type.f32(8), Layout.DENSE), new double[8]);
        m.expire(Set.of(B)::contains);
        assertThat(m.read("reader", B, at(64, Type.f32(8), Layout.DENSE))).hasSize(8);
        assertThatThrownBy(() -> m.read("reader", A, at(0, Type.f32(8), Layout.DENSE)))
                .hasMessageContaining("in an earlier step");
    }

    @Test
    void readersAndWritersAgreeOverTheLayoutAndTheArenasEnd() {
        PlanMemory m = new ShadowMemory(0, 1024);
        Type t = Type.f32(1, 16, 2, 2);
        m.write("writer", A, at(0, t, Layout.NHWC), counted(t));
        assertThatThrownBy(() -> m.read("reader", A, at(0, t, Layout.BLOCKED16)))
                .hasMessageContaining("but it was written to");
        assertThatThrownBy(() -> m.write("writer", A, at(832, t, Layout.NHWC), counted(t)))
                .hasMessage("writer writes bytes 832 to 1088 of the scratch arena, which has 1024");
    }
}
