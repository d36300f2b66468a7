package io.firn.backend.cuda.cudnn;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.backend.cuda.CudaFixture;
import io.firn.graph.DType;
import io.firn.plan.Precision;
import io.firn.plan.Subgraph;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** cuDNN's engines, found and finished for devices that are not here. Nothing is executed. */
class EnginesTest {
    @TempDir
    Path folder;

    @BeforeAll
    static void load() {
        CudaFixture.loadCudnn();
    }

    static String device(String name) throws IOException {
        try (InputStream in = EnginesTest.class.getResourceAsStream(name + ".json")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private LibraryEngines engines(String name) throws IOException {
        return new LibraryEngines(device(name), false, "test", folder);
    }

    private static CudnnGraph graph(String pattern, Precision p) {
        return Pattern.ALL.stream().filter(x -> x.name().equals(pattern)).findFirst().orElseThrow().lowered(p);
    }

    @Test
    void anEngineIsFoundDescribedAndKept() throws IOException {
        LibraryEngines h100 = engines("h100");
        CudnnGraph plain = graph("forward 3x3", Precision.BF16);
        CudnnGraph fused = graph("forward + statistics", Precision.BF16);
        h100.prepare(List.of(plain, fused, plain));
        Engine e = h100.engine(plain).orElseThrow();
        assertThat(e.checked()).isTrue();
        assertThat(e.compiled()).isFalse();
        assertThat(e.notes()).contains("tensor_core");
        assertThat(e.knobs()).isNotEmpty();
        Engine f = h100.engine(fused).orElseThrow();
        assertThat(f.compiled()).isTrue();
        assertThat(f.label()).isEqualTo("e" + f.index() + "R");

        // Another process reads what this one found: the plan is one that cuDNN restores.
        LibraryEngines again = engines("h100");
        assertThat(again.engine(fused)).contains(f);
        byte[] plan = again.plan(fused).orElseThrow();
        EngineSearch search = new EngineSearch(device("h100"), false);
        assertThat(search.restores(plan)).isTrue();
        assertThat(search.restores(new byte[] {1, 2, 3})).isFalse();
    }

    static Stream<Pattern> few() {
        return Pattern.ALL.stream().filter(p -> Set.of("forward 3x3", "dgrad 3x3 stride 2", "forward grouped",
                "forward + statistics", "dgrad + bn + relu gradient + sums").contains(p.name()));
    }

    static Stream<Pattern> others() {
        return LoweringTest.patterns().filter(p -> few().noneMatch(p::equals));
    }

    /** The plan is read back from cuDNN and interpreted. */
    @ParameterizedTest
    @MethodSource("few")
    void whatAFinishedPlanComputesIsTheSubgraph(Pattern p) throws IOException {
        Precision precision = Pattern.MATRICES.contains(p) ? Precision.TF32
                : p.name().equals(Pattern.WGRAD_WITH_PROLOGUE) ? Precision.FP16 : Precision.BF16;
        Subgraph s = p.small(precision.activation());
        LibraryEngines h100 = engines("h100");
        CudnnGraph g = Lowering.of(s, precision).orElseThrow();
        CudnnGraph read = PlanReader.read(h100.plan(g).orElseThrow(() -> new AssertionError(h100.refusal(g))), g);
        assertThat(read.operations()).containsExactlyInAnyOrderElementsOf(g.operations());
        assertThat(read.inputs()).isEqualTo(g.inputs());
        assertThat(read.outputs()).isEqualTo(g.outputs());
        LoweringTest.check(s, read);
    }

    @ParameterizedTest
    @MethodSource("others")
    @Tag("slow")
    void whatEveryOtherFinishedPlanComputesIsTheSubgraph(Pattern p) throws IOException {
        whatAFinishedPlanComputesIsTheSubgraph(p);
    }

    @Test
    void whatIsNotSupportedHasAReasonAndIsRemembered() throws IOException {
        CudnnGraph recomputing = graph(Pattern.WGRAD_WITH_PROLOGUE, Precision.BF16);
        assertThat(engines("a100").engine(recomputing)).isEmpty();
        assertThat(engines("a100").refusal(recomputing)).isNotEmpty();
        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files).hasSize(1);
        }
        CudnnGraph possible = graph(Pattern.WGRAD_WITH_PROLOGUE, Precision.FP16);
        assertThat(engines("a100").engine(possible)).isPresent();
        assertThat(engines("a100").refusal(possible)).isEmpty();
    }

    /** What plans ask for where the best way of all has no engine. */
    @Test
    void everyOtherWayHasAnEngineToo() throws IOException {
        for (String pattern : List.of("stem wgrad", "wgrad 3x3")) {
            Subgraph s = Pattern.ALL.stream().filter(x -> x.name().equals(pattern)).findFirst().orElseThrow().large(DType.BF16);
            assertThat(engines("a100").engine(Lowering.ways(s, Precision.BF16).getLast())).isPresent();
        }
    }

    @Test
    void aDamagedFileOfTheCacheIsReplaced() throws IOException {
        CudnnGraph g = graph("dgrad 3x3", Precision.FP16);
        Engine e = engines("h100").engine(g).orElseThrow();
        Path file;
        try (Stream<Path> files = Files.list(folder)) {
            file = files.findFirst().orElseThrow();
        }
        for (String text : List.of("", "{}", "{\"key\":\"other\"}", "[1", "{\"key\":null,\"engine\":{}}")) {
            Files.writeString(file, text);
            assertThat(engines("h100").engine(g)).contains(e);
            assertThat(Files.size(file)).isGreaterThan(text.length() + 1L);
        }
    }

    @Test
    void f32IsNotRoundedUnlessItMayBe() throws IOException {
        CudnnGraph exact = graph("forward 3x3", Precision.FP32);
        CudnnGraph rounded = graph("forward 3x3", Precision.TF32);
        assertThat(engines("a100").engine(exact).orElseThrow().notes()).doesNotContain("tensor_core", "winograd");
        assertThat(engines("a100").engine(rounded).orElseThrow().notes()).contains("tensor_core");
    }

    @Test
    void whereOnlyDeterministicEnginesWillDoNoOtherIsTaken() throws IOException {
        CudnnGraph g = graph("dgrad 3x3 stride 2", Precision.FP32);
        assertThat(engines("a100").engine(g).orElseThrow().deterministic()).isFalse();
        var engines = new LibraryEngines(device("a100"), true, "test", folder);
        assertThat(engines.engine(g).map(Engine::deterministic)).isNotEqualTo(Optional.of(false));
    }

    @Test
    void withoutCudnnEverythingIsTakenAndNothingChecked() {
        Engines none = Engines.notChecked("not here");
        Engine e = none.engine(graph("stem wgrad", Precision.BF16)).orElseThrow();
        assertThat(e.checked()).isFalse();
        assertThat(e.label()).isEqualTo("not checked");
        assertThat(none.versions()).contains("not here");
    }

    /** Every pattern that plans are made of, in both types on both devices: minutes of compiling. */
    @Test
    @Tag("slow")
    void everyPatternHasAnEngine() throws IOException {
        List<String> missing = new ArrayList<>();
        for (String device : List.of("h100", "a100")) {
            LibraryEngines engines = new LibraryEngines(device(device), false, "test", folder);
            for (Precision p : List.of(Precision.BF16, Precision.FP16)) {
                Map<Pattern, CudnnGraph> graphs = new LinkedHashMap<>();
                Pattern.ALL.forEach(x -> graphs.put(x, x.lowered(p)));
                engines.prepare(graphs.values());
                graphs.forEach((x, g) -> {
                    if (engines.engine(g).isEmpty()) {
                        missing.add("%s %s %s".formatted(device, p, x));
                    }
                });
            }
        }
        assertThat(missing).containsExactlyInAnyOrder("h100 BF16 " + Pattern.WGRAD_WITH_PROLOGUE,
                "a100 BF16 " + Pattern.WGRAD_WITH_PROLOGUE);
    }
}
