package io.firn.backend.cuda.kernels;

import java.io.IOException;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every kernel, through the C++ shim, held to the oracle: all orders of threads, odd shapes, guarded memory. */
class KernelsTest {
    private static final List<KernelCase> CASES = Stream.of(PointwiseCases.all(), DepthwiseCases.all(), OtherCases.all()).flatMap(List::stream).toList();
    private static Shim shim;

    @BeforeAll
    static void compile() throws IOException {
        skipWithoutCompiler("KernelsTest");
        shim = Shim.of(CASES.stream().flatMap(c -> c.sources().stream()).toList());
    }

    static void skipWithoutCompiler(String test) {
        Shim.missing().ifPresent(why -> {
            System.out.println(test + " is skipped: " + why);
            Assumptions.abort(why);
        });
    }

    static Stream<KernelCase> cases() {
        return CASES.stream();
    }

    @ParameterizedTest
    @MethodSource("cases")
    void isTheOracles(KernelCase c) {
        c.check(shim);
    }
}
