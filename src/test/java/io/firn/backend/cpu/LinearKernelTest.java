package io.firn.backend.cpu;

import io.firn.graph.Linear;
import io.firn.graph.Op;
import io.firn.graph.Type;
import io.firn.plan.Layout;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Products with classifiers and gates of every raggedness, held to the interpreter. */
class LinearKernelTest {
    private static final Workers WORKERS = new Workers(2);
    private static final Random RANDOM = new Random(3);

    @AfterAll
    static void close() {
        WORKERS.close();
    }

    @ParameterizedTest
    @CsvSource({"1,1,1", "2,16,4", "3,17,5", "5,64,10", "2,2048,1000", "16,40,960", "4,1153,7", "7,63,66", "1,1280,1001"})
    void multipliesAndGivesTheDataGradient(int samples, int inputs, int outputs) {
        Type x = Type.f32(samples, inputs);
        Type dy = Type.f32(samples, outputs);
        for (Type w : List.of(Type.f32(outputs, inputs), Type.f32(outputs, inputs, 1, 1))) {
            check(new Linear.Forward(), x, w, Type.f32(outputs));
            check(new Linear.Dgrad(), dy, w);
        }
    }

    private static void check(Op op, Type... types) {
        OpCase.check(op, List.of(types), Arrays.stream(types).map(t -> OpCase.random(t, RANDOM)).toList(), Layout.DENSE,
                (n, bind) -> LinearKernel.of(n, bind, WORKERS), 1e-6);
    }
}
