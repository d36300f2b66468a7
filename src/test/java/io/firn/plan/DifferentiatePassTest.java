package io.firn.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.graph.DType;
import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Loss;
import io.firn.graph.Phase;
import io.firn.graph.Shape;
import io.firn.graph.Type;
import io.firn.graph.Update;
import io.firn.graph.Value;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The walk visits only paths from the loss to what is wanted, and the optimizer follows what it found. */
class DifferentiatePassTest {
    private static final PlanRequest.Training PLAIN = new PlanRequest.Training(Set.of(), _ -> new Update.Sgd(0.9, 0, false, 1),
            0);


    /** Two ways lead to {@code a}: through {@code b} and past it. */
    private static Graph graph() {
        PassGraph p = new PassGraph();
        Value a = p.conv("a", p.image());
        Graph g = p.classify(p.add("sum", p.relu("r", p.conv("b", a)), a));
        GraphBuilder b = GraphBuilder.from(g);
        Value labels = b.input("labels", new Type(DType.I32, Shape.of(2)));
        b.output("loss", b.add("loss", new Loss.SoftmaxCrossEntropy(0), g.output("logits"), labels));
        b.parameter("unused", 1);
        return b.build();
    }

    private static Graph towards(String... parameters) {
        return DifferentiatePass.run(graph(), Stream.of(parameters).map(p -> graph().state(p).value()).toList(), false);
    }

    private static List<String> backward(Graph g) {
        return PassGraph.draw(g).lines().limit(g.nodes().size())
                .skip(g.nodes().stream().filter(n -> n.phase() != Phase.BACKWARD).count()).toList();
    }

    @Test
    void gradientsThatMeetAreAdded() {
        assertThat(backward(towards("a.weight"))).containsExactly(
                "loss.grad = cross_entropy_grad(fc, labels)",
                "fc.dgrad = linear_dgrad(loss.grad, fc.weight)",
                "avgpool.grad = global_average_grad(fc.dgrad)",
                "r.grad = relu_grad(avgpool.grad, r)",
                "b.dgrad = conv_dgrad(r.grad, b.weight)",
                "b.sum = add(avgpool.grad, b.dgrad)",
                "a.wgrad = conv_wgrad(image, b.sum)");
    }

    @Test
    void theWalkEndsAtTheLowestThatIsWanted() {
        assertThat(backward(towards("b.weight"))).containsExactly(
                "loss.grad = cross_entropy_grad(fc, labels)",
                "fc.dgrad = linear_dgrad(loss.grad, fc.weight)",
                "avgpool.grad = global_average_grad(fc.dgrad)",
                "r.grad = relu_grad(avgpool.grad, r)",
                "b.wgrad = conv_wgrad(a, r.grad)");
        assertThat(backward(towards("fc.bias"))).containsExactly(
                "loss.grad = cross_entropy_grad(fc, labels)", "fc.bias_grad = bias_grad(loss.grad)");
        assertThat(backward(towards())).isEmpty();
    }

    @Test
    void everyPathIsFound() {
        assertThat(towards("a.weight", "b.weight", "fc.weight", "fc.bias").outputs().keySet()).contains(
                "a.weight.grad", "b.weight.grad", "fc.weight.grad", "fc.bias.grad");
    }

    @Test
    void sayWhatDoesNotReachTheLoss() {
        assertThatThrownBy(() -> towards("unused")).hasMessage("unused does not reach the loss");
    }

    @Test
    void theOptimizerFollowsGradients() {
        Graph g = UpdatePass.run(towards("b.weight"), PLAIN);
        assertThat(PassGraph.draw(g)).contains(
                "b.weight.update#0, b.weight.update#1 = sgd(b.weight, b.wgrad, b.weight.momentum, rates)\n")
                .endsWith("update b.weight = b.weight.update#0\nupdate b.weight.momentum = b.weight.update#1\n");
        assertThat(UpdatePass.run(towards(), PLAIN).updates()).isEmpty();
    }
}
