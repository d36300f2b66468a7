package io.firn.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.graph.Graph;
import io.firn.graph.Value;
import io.firn.oracle.PlanOracle;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/** Plans that are broken on purpose: both the verifier and the oracle's shadow must notice. */
class BrokenPlansTest {
    private static final Graph MODEL = ModelPlansTest.tiny("efficientnet_b0");
    private static final Program PROGRAM = PlanRuns.program(new GreedyKernels(Layout.NHWC),
            PlanRuns.train(MODEL, Set.of()));
    private static final Plan PLAN = PROGRAM.plans().getFirst();

    @Test
    void asItIs() {
        assertThatCode(() -> VerifyPass.run(PLAN)).doesNotThrowAnyException();
        assertThatCode(() -> run(PLAN, 2)).doesNotThrowAnyException();
    }

    @Test
    void everyBufferMovedOntoOneThatLives() {
        int moved = 0;
        for (int i = 10; i < PLAN.launches().size() - 10; i += 15) {
            Launch l = PLAN.launches().get(i);
            Value victim = livesAcross(i);
            if (victim == null || l.outputs().isEmpty() || l.outputs().getFirst().arena() != Buffer.Arena.SCRATCH) {
                continue;
            }
            Value v = l.subgraph().outputs().getFirst();
            Buffer b = PLAN.buffers().get(v);
            Buffer on = PLAN.buffers().get(victim);
            long at = Math.min(on.offset(), PLAN.scratch() - b.bytes());
            fails(withBuffer(v, new Buffer(b.arena(), at / Buffer.ALIGNMENT * Buffer.ALIGNMENT, b.type(), b.layout())));
            moved++;
        }
        assertThat(moved).isGreaterThan(3);
    }

    /** A value written before launch {@code i} and read after it, not by it. */
    private static Value livesAcross(int i) {
        for (Launch before : PLAN.launches().subList(0, i)) {
            for (Value v : before.subgraph().outputs()) {
                boolean later = PLAN.launches().subList(i + 1, PLAN.launches().size()).stream()
                        .anyMatch(l -> l.subgraph().inputs().contains(v));
                boolean now = PLAN.launches().get(i).subgraph().inputs().contains(v);
                if (later && !now && PLAN.buffers().get(v).arena() == Buffer.Arena.SCRATCH) {
                    return v;
                }
            }
        }
        return null;
    }

    @Test
    void aWriterThatMissesItsBuffer() {
        int i = indexOf(l -> l.op().equals("conv"));
        fails(with(i, l -> {
            Buffer b = l.outputs().getFirst();
            return copy(l, l.inputs(), List.of(new Buffer(b.arena(), b.offset() + Buffer.ALIGNMENT, b.type(), b.layout())),
                    l.workspaceOffset());
        }));
    }

    @Test
    void aReaderInAnotherLayout() {
        int i = indexOf(l -> l.op().equals("conv"));
        fails(with(i, l -> {
            List<Buffer> in = new ArrayList<>(l.inputs());
            Buffer b = in.getFirst();
            in.set(0, new Buffer(b.arena(), b.offset(), b.type(), Layout.DENSE));
            return copy(l, in, l.outputs(), l.workspaceOffset());
        }));
    }

    @Test
    void swappedLaunches() {
        int swapped = 0;
        for (int i = 0; i + 1 < PLAN.launches().size(); i += 7) {
            Launch next = PLAN.launches().get(i + 1);
            if (PLAN.launches().get(i).subgraph().outputs().stream().anyMatch(next.subgraph().inputs()::contains)) {
                List<Launch> launches = new ArrayList<>(PLAN.launches());
                Collections.swap(launches, i, i + 1);
                fails(plan(launches, PLAN.buffers()));
                swapped++;
            }
        }
        assertThat(swapped).isGreaterThan(3);
    }

    @Test
    void updateBeforeTheLastReader() {
        int update = indexOf(l -> l.name().equals("features.0.0.weight.update"));
        List<Launch> launches = new ArrayList<>(PLAN.launches());
        launches.addLast(launches.remove(indexOf(l -> l.name().equals("features.0.0.pack"))));
        assertThat(update).isPositive();
        fails(plan(launches, PLAN.buffers()));
    }

    @Test
    void workspaceOverAnOperandAResultOrWhatIsReadLater() {
        int i = indexOf(l -> l.op().equals("conv_dgrad"));
        Launch l = PLAN.launches().get(i);
        for (Buffer over : List.of(l.inputs().getFirst(), l.outputs().getFirst(), PLAN.buffers().get(livesAcross(i)))) {
            fails(with(i, broken -> copy(broken, broken.inputs(), broken.outputs(), over.offset())));
        }
    }

    @Test
    void resultAcrossAnOperand() {
        int i = indexOf(l -> l.op().equals("conv_dgrad"));
        Value out = PLAN.launches().get(i).subgraph().outputs().getFirst();
        Buffer operand = PLAN.launches().get(i).inputs().getFirst();
        Buffer b = PLAN.buffers().get(out);
        long at = Math.min(operand.offset() + Buffer.ALIGNMENT, PLAN.scratch() - b.bytes()) / 64 * 64;
        fails(withBuffer(out, new Buffer(b.arena(), at, b.type(), b.layout())));
    }

    @Test
    void theShadowNamesTheCulprit() {
        int i = indexOf(l -> l.op().equals("conv_dgrad"));
        Value victim = livesAcross(i);
        Plan broken = with(i, l -> copy(l, l.inputs(), l.outputs(), PLAN.buffers().get(victim).offset()));
        assertThatThrownBy(() -> run(broken, 1)).hasMessageContaining("reads %%%d:%s of plan train at byte"
                .formatted(victim.id(), victim.name())).hasMessageContaining("used it as its workspace")
                .hasMessageContaining(PLAN.launches().get(i).name());
    }

    @Test
    void theShadowMissesWhatWasNeverGiven() {
        PlanOracle oracle = PlanRuns.load(PROGRAM, Map.of());
        assertThatThrownBy(() -> PlanRuns.step(oracle, PLAN, PlanRuns.inputs(MODEL, 0)))
                .hasMessageContaining("reads state ").hasMessageContaining("nothing was ever written");
    }

    private static void fails(Plan broken) {
        assertThatThrownBy(() -> VerifyPass.run(broken)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> run(broken, 2)).isInstanceOf(IllegalStateException.class);
    }

    private static void run(Plan plan, int steps) {
        PlanOracle oracle = PlanRuns.load(new Program(List.of(plan), PROGRAM.state()), PlanRuns.states(MODEL));
        for (int i = 0; i < steps; i++) {
            PlanRuns.step(oracle, plan, PlanRuns.inputs(MODEL, i));
        }
    }

    private static int indexOf(java.util.function.Predicate<Launch> p) {
        for (int i = PLAN.launches().size() / 4; i < PLAN.launches().size(); i++) {
            if (p.test(PLAN.launches().get(i))) {
                return i;
            }
        }
        for (int i = 0; i < PLAN.launches().size(); i++) {
            if (p.test(PLAN.launches().get(i))) {
                return i;
            }
        }
        throw new AssertionError("no such launch");
    }

    private static Plan with(int i, UnaryOperator<Launch> change) {
        List<Launch> launches = new ArrayList<>(PLAN.launches());
        launches.set(i, change.apply(launches.get(i)));
        return plan(launches, PLAN.buffers());
    }

    /** Moves a value wherever it is written and read, as a wrong memory layout would. */
    private static Plan withBuffer(Value v, Buffer b) {
        SequencedMap<Value, Buffer> buffers = new LinkedHashMap<>(PLAN.buffers());
        buffers.put(v, b);
        List<Launch> launches = PLAN.launches().stream().map(l -> copy(l,
                l.subgraph().inputs().stream().map(buffers::get).toList(),
                l.subgraph().outputs().stream().map(buffers::get).toList(), l.workspaceOffset())).toList();
        return plan(launches, buffers);
    }

    private static Launch copy(Launch l, List<Buffer> in, List<Buffer> out, long workspaceOffset) {
        return new Launch(l.name(), l.phase(), l.stream(), l.kernel(), l.subgraph(), in, out, l.workspace(),
                workspaceOffset, l.flops(), l.bytes(), l.predictedMs(), l.reason());
    }

    private static Plan plan(List<Launch> launches, SequencedMap<Value, Buffer> buffers) {
        return new Plan(PLAN.name(), PLAN.graph(), PLAN.target(), PLAN.precision(), PLAN.activations(), PLAN.prepare(),
                launches, buffers, PLAN.scratch(), PLAN.liveBytes(), PLAN.catalogue());
    }
}
