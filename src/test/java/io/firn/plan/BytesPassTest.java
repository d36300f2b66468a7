package io.firn.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.graph.Activation;
import io.firn.graph.Convolution;
import io.firn.graph.Elementwise;
import io.firn.graph.Graph;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Pooling;
import io.firn.graph.Value;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Where launches are cut so that few bytes move: who computes what again, who writes it, and where neither pays. */
class BytesPassTest {

    /** One convolution a launch, of whose kind {@code prologue} says whether cheap nodes may come before it. */
    private record Toy(boolean prologue) implements Kernels {
        @Override
        public Optional<String> refusal(List<Node> nodes, Set<Value> outputs) {
            List<Node> products = nodes.stream().filter(n -> n.op() instanceof Convolution).toList();
            boolean before = !products.isEmpty() && nodes.getFirst() != products.getFirst();
            boolean vectors = nodes.stream().anyMatch(n -> n.op() instanceof Normalization.Finalise);
            return nodes.size() == 1 || products.size() < 2 && !vectors && (prologue || !before) ? Optional.empty()
                    : Optional.of("no prologue");
        }

        @Override
        public boolean supports(List<Node> nodes, Set<Value> outputs) {
            return refusal(nodes, outputs).isEmpty();
        }

        @Override
        public boolean fusesByBytes() {
            return true;
        }

        @Override
        public boolean copies(Node n) {
            return n.op() instanceof Normalization.Apply || n.op() instanceof Activation || n.op() instanceof Elementwise;
        }

        @Override
        public boolean recomputes(Node consumer) {
            return false;
        }

        @Override
        public boolean packsWeights(Node product) {
            return false;
        }

        @Override
        public Layout activationLayout(Graph graph) {
            return Layout.NHWC;
        }

        @Override
        public List<Candidate> candidates(Subgraph subgraph, Layout layout) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Candidate conversion(Subgraph casts, List<Layout> from, List<Layout> to) {
            throw new UnsupportedOperationException();
        }

        @Override
        public String versions() {
            return "toy";
        }
    }

    private static List<String> cut(Graph g, boolean prologue) {
        return BytesPass.run(g, new Toy(prologue)).parts().stream().map(p -> String.join(" ",
                p.subgraph().nodes().stream().map(Node::name).toList())).toList();
    }

    /** Two convolutions read a normalised activation. */
    private static Graph branches() {
        PassGraph b = new PassGraph();
        Value a = b.relu("relu", b.norm("bn", b.conv("conv", b.image())));
        Value two = b.conv("two", a);
        Value three = b.conv("three", a);
        return SplitPass.run(b.output(b.builder().add("mean", new Pooling.GlobalAverage(), b.add("sum", two, three))));
    }

    @Test
    void eachReaderComputesWhatItWouldElseRead() {
        assertThat(cut(branches(), true)).containsExactly("conv bn.statistics", "bn.finalise", "bn.again relu.again two",
                "bn.again relu.again three sum mean");
    }

    @Test
    void oneLaunchWritesItWhereReadersCannot() {
        assertThat(cut(branches(), false)).containsExactly("conv bn.statistics", "bn.finalise", "bn relu", "two", "three sum mean");
    }

    @Test
    void whatReadsMoreThanItWritesIsWrittenOnce() {
        PassGraph b = new PassGraph();
        Value left = b.conv("left", b.image());
        Value sum = b.add("sum", left, b.conv("right", left));
        Graph g = b.output(b.builder().add("mean", new Pooling.GlobalAverage(), b.add("end", b.conv("two", sum), b.conv("three", sum))));
        List<String> parts = cut(g, true);
        assertThat(parts).as("computed again, each reader would read two maps instead of one").noneMatch(p -> p.contains("sum.again"))
                .contains("right sum");
    }

    @Test
    void resultsReachMemory() {
        PassGraph b = new PassGraph();
        Value a = b.relu("relu", b.conv("conv", b.image()));
        b.builder().output("kept", a);
        Graph g = b.output(b.conv("two", a));
        Partition p = BytesPass.run(g, new Toy(true));
        assertThat(p.graph().outputs().get("kept")).isEqualTo(a);
        assertThat(p.parts().stream().flatMap(part -> part.subgraph().outputs().stream())).contains(a);
    }

    @Test
    void notWhereAPathLeadsOutAndBackIn() {
        PassGraph b = new PassGraph();
        Value a = b.conv("a", b.image());
        Value far = b.conv("far", b.relu("mid", a));
        List<String> parts = cut(b.output(b.add("sum", a, far)), true);
        assertThat(parts).containsExactly("a", "mid far sum");
    }

    @Test
    void saysWhy() {
        assertThat(BytesPass.run(branches(), new Toy(true)).parts().get(2).reason())
                .isEqualTo("fewest bytes: recomputes bn, relu; alone, as no prologue");
        assertThat(BytesPass.run(branches(), new Toy(false)).parts().get(2).reason()).isEqualTo("writes relu, as no prologue");
    }

    @Test
    void theSameGraphGivesTheSameCuts() {
        assertThat(BytesPass.run(branches(), new Toy(true))).isEqualTo(BytesPass.run(branches(), new Toy(true)));
    }
}
