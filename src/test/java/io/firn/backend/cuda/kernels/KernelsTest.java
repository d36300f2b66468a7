package io.firn.backend.cuda.kernels;

import java.io.IOException;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every kernel, through the C++ shim, held to the oracle: all orders of threads, odd shapes, guarded memory. */
class KernelsTest {
    private static final List<KernelCase> QUICK = of(false);
    private static Shim shim;

    @BeforeAll
    static void compile() throws IOException {
        skipWithoutCompiler("KernelsTest");
        shim = Shim.of(QUICK.stream().flatMap(c -> c.sources().stream()).toList());
    }

    static void skipWithoutCompiler(String test) {
        Shim.missing().ifPresent(why -> {
            System.out.println(test + " is skipped: " + why);
            Assumptions.abort(why);
        });
    }

    private static List<KernelCase> of(boolean every) {
        return Stream.of(PointwiseCases.all(every), DepthwiseCases.all(every), OtherCases.all()).flatMap(List::stream).toList();
    }

    static Stream<KernelCase> cases() {
        return QUICK.stream();
    }

    /** Each group in each size. */
    static List<KernelCase> every() {
        return of(true);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void isTheOracles(KernelCase c) {
        c.check(shim);
    }

    @Tag("slow")
    @Test
    void isTheOraclesInEverySize() throws IOException {
        List<KernelCase> every = every();
        Shim all = Shim.of(every.stream().flatMap(c -> c.sources().stream()).toList());
        every.forEach(c -> c.check(all));
    }
}
