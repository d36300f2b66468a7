package io.firn.oracle;

import static io.firn.oracle.Samples.array;
import static io.firn.oracle.Samples.run;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.graph.DType;
import io.firn.graph.Pooling;
import io.firn.graph.Shortcut;
import io.firn.graph.Type;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Pooling and shortcuts by hand. */
class PoolingOracleTest {

    @Test
    void maximumTakesTheFirstOfEqualsAndNeverPadding() {
        Array x = array(new double[] {-1, -2, -3, -1, -5, -1, -7, -8, -1}, 1, 1, 3, 3);
        List<double[]> out = run(new Pooling.Max(3, 2, 1), x);
        assertThat(out.get(0)).containsExactly(-1, -1, -1, -1);
        // Windows begin at (-1,-1), (-1,1), (1,-1), (1,1); places are counted in the window, padding included.
        assertThat(out.get(1)).containsExactly(4, 7, 1, 1);
    }

    @Test
    void gradientGoesToTheWinnersAndMeetsThere() {
        Array dy = array(new double[] {1, 2, 4, 8}, 1, 1, 2, 2);
        Array index = new Array(new Type(DType.U8, dy.shape()), new double[] {4, 7, 1, 1});
        assertThat(run(new Pooling.MaxGrad(3, 2, 1, 3, 3), dy, index).getFirst())
                .containsExactly(1, 0, 0, 4, 0, 10, 0, 0, 0);
    }

    @Test
    void windowsThatMakeNoSenseAreRefused() {
        assertThatThrownBy(() -> new Pooling.Max(2, 2, 2)).hasMessageContaining("wholly in a padding");
        assertThatThrownBy(() -> new Pooling.Max(17, 1, 0)).hasMessageContaining("u8");
    }

    @Test
    void globalAverageAndItsGradient() {
        Array x = array(new double[] {1, 2, 3, 6, -1, -1, -1, -1}, 1, 2, 2, 2);
        assertThat(run(new Pooling.GlobalAverage(), x).getFirst()).containsExactly(3, -1);
        assertThat(run(new Pooling.GlobalAverageGrad(x.type()), array(new double[] {4, 8}, 1, 2)).getFirst())
                .containsExactly(1, 1, 1, 1, 2, 2, 2, 2);
    }

    @Test
    void shortcutSkipsPixelsAndPadsChannelsOnBothSides() {
        Array x = array(new double[] {1, 2, 3, 4, 5, 6, 7, 8, 9}, 1, 1, 3, 3);
        assertThat(run(new Shortcut.Pad(2, 3), x).getFirst()).containsExactly(0, 0, 0, 0, 1, 3, 7, 9, 0, 0, 0, 0);
        Array dy = array(new double[] {9, 9, 9, 9, 1, 2, 3, 4, 9, 9, 9, 9}, 1, 3, 2, 2);
        assertThat(run(new Shortcut.PadGrad(2, 1, 3, 3), dy).getFirst()).containsExactly(1, 0, 2, 0, 0, 0, 3, 0, 4);
    }
}
