package io.firn.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.graph.Graph;
import io.firn.graph.Value;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The scratch arena is hardly larger than what lives at one time. */
class MemoryTest {

    @ParameterizedTest
    @ValueSource(strings = {"resnet18", "resnet20", "resnet50", "efficientnet_b0", "efficientnet_v2_s"})
    void littleIsLostBetweenBuffers(String name) {
        for (int batch : new int[] {1, 64}) {
            Graph model = Models.build(name, ModelOptions.defaults().withBatch(batch)).graph();
            for (Kernels k : List.of(new GreedyKernels(Layout.NHWC), new PlainKernels(Layout.BLOCKED16))) {
                Program p = PlanRuns.program(k, PlanRuns.train(model, Set.of()), PlanRuns.evaluate(model));
                for (Plan plan : p.plans()) {
                    String what = "%s of %s, batch %d, %s".formatted(plan.name(), name, batch, k.versions());
                    assertThat(plan.liveBytes()).as(what).isEqualTo(live(plan));
                    long most = Collections.max(LiveMemory.of(plan));
                    if (plan.prepare().isEmpty()) {
                        assertThat(most).as(what).isEqualTo(plan.liveBytes());
                    } else {
                        assertThat(most).as(what).isLessThanOrEqualTo(plan.liveBytes());
                    }
                    assertThat((double) plan.scratch() / plan.liveBytes()).as(what).isBetween(1.0, 1.15);
                }
            }
        }
    }

    /**
     * Counted from the launches alone: at each one, the bytes of every buffer that was written and will still be read.
     * Values that share a place while one takes over the other are one buffer.
     */
    private static long live(Plan plan) {
        List<Launch> all = new ArrayList<>(plan.prepare());
        all.addAll(plan.launches());
        Map<Value, Integer> first = new HashMap<>();
        Map<Value, Integer> last = new HashMap<>();
        plan.graph().inputs().forEach(v -> first.put(v, 0));
        plan.graph().inputs().forEach(v -> last.put(v, all.size()));
        for (int i = 0; i < all.size(); i++) {
            for (Value v : all.get(i).subgraph().outputs()) {
                first.put(v, i);
                last.put(v, i);
            }
            for (Value v : all.get(i).subgraph().inputs()) {
                boolean prepared = i >= plan.prepare().size() && first.getOrDefault(v, i) < plan.prepare().size();
                last.merge(v, prepared ? all.size() : i, Math::max);
            }
        }
        plan.graph().outputs().values().forEach(v -> last.put(v, all.size()));
        Set<Value> scratch = new HashSet<>(first.keySet());
        scratch.removeIf(v -> plan.buffers().get(v).arena() != Buffer.Arena.SCRATCH);
        long most = 0;
        for (int i = 0; i < all.size(); i++) {
            int now = i;
            Map<Long, Long> places = new HashMap<>();
            scratch.stream().filter(v -> first.get(v) <= now && now <= last.get(v)).map(plan.buffers()::get)
                    .forEach(b -> places.put(b.offset(), Buffer.align(b.bytes())));
            long sum = places.values().stream().mapToLong(Long::longValue).sum() + Buffer.align(all.get(i).workspace());
            most = Math.max(most, sum);
        }
        return most;
    }

    @Test
    void blocksThatMeetNeverOverlap() {
        Random random = new Random(1);
        for (int round = 0; round < 200; round++) {
            List<MemoryPass.Block> blocks = new ArrayList<>();
            for (int i = 0; i < 40; i++) {
                int first = random.nextInt(30);
                blocks.add(new MemoryPass.Block(first, first + random.nextInt(8), 1 + random.nextInt(1000)));
            }
            MemoryPass.Arrangement a = MemoryPass.arrange(blocks);
            assertThat(a.bytes()).isGreaterThanOrEqualTo(MemoryPass.live(blocks));
            for (int i = 0; i < blocks.size(); i++) {
                assertThat(a.offsets()[i] % Buffer.ALIGNMENT).isZero();
                assertThat(a.offsets()[i] + blocks.get(i).bytes()).isLessThanOrEqualTo(a.bytes());
                for (int j = 0; j < i; j++) {
                    boolean apart = a.offsets()[i] + blocks.get(i).bytes() <= a.offsets()[j]
                            || a.offsets()[j] + blocks.get(j).bytes() <= a.offsets()[i];
                    assertThat(apart || !blocks.get(i).meets(blocks.get(j))).isTrue();
                }
            }
        }
    }

    @Test
    void aGapThatIsWideEnoughIsUsed() {
        MemoryPass.Arrangement a = MemoryPass.arrange(List.of(new MemoryPass.Block(0, 1, 640),
                new MemoryPass.Block(2, 3, 640), new MemoryPass.Block(1, 2, 64), new MemoryPass.Block(4, 4, 100)));
        assertThat(a.offsets()).containsExactly(0, 0, 640, 0);
        assertThat(a.bytes()).isEqualTo(704);
    }
}
