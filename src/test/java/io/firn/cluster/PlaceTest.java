package io.firn.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.error.UserError;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What the environment says about a process's place among ranks. */
class PlaceTest {
    private static final Map<String, String> TORCHRUN = Map.of("RANK", "3", "WORLD_SIZE", "8", "MASTER_ADDR", "n1",
            "MASTER_PORT", "29500", "LOCAL_RANK", "1", "TORCHELASTIC_RUN_ID", "job");
    private static final Map<String, String> SLURM = Map.of("SLURM_PROCID", "1", "SLURM_STEP_NUM_TASKS", "4",
            "SLURM_NTASKS", "4", "SLURM_JOB_ID", "17", "SLURM_STEP_ID", "0", "SLURM_LOCALID", "1",
            "SLURM_STEP_NODELIST", "node[03-05,9],x");

    private static Map<String, String> with(Map<String, String> env, String... changes) {
        Map<String, String> all = new HashMap<>(env);
        for (int i = 0; i < changes.length; i += 2) {
            if (changes[i + 1] == null) {
                all.remove(changes[i]);
            } else {
                all.put(changes[i], changes[i + 1]);
            }
        }
        return all;
    }

    @Test
    void torchrun() {
        assertThat(Place.of(TORCHRUN)).contains(new Place(3, 8, 1, "n1", 29500, "job."));
        assertThat(Place.of(with(TORCHRUN, "TORCHELASTIC_USE_AGENT_STORE", "True")).orElseThrow().port()).isEqualTo(29501);
        assertThat(Place.of(with(TORCHRUN, "WORLD_SIZE", "1", "RANK", "0"))).isEmpty();
    }

    @Test
    void slurm() {
        Place p = Place.of(SLURM).orElseThrow();
        assertThat(p).returns(1, Place::rank).returns(4, Place::ranks).returns("node03", Place::host).returns(1, Place::local);
        assertThat(Place.of(with(SLURM, "SLURM_LOCALID", null)).orElseThrow().local()).isZero();
        assertThat(p.port()).isBetween(20_000, 29_999);
        assertThat(Place.of(with(SLURM, "MASTER_ADDR", "10.0.0.1", "MASTER_PORT", "4242")).orElseThrow())
                .returns("10.0.0.1", Place::host).returns(4242, Place::port);
        assertThat(Place.of(with(SLURM, "SLURM_RESTART_COUNT", "1")).orElseThrow().job()).isNotEqualTo(p.job());
    }

    /** The batch script itself has a number and the job's tasks, but is none of several. */
    @Test
    void aBatchScriptIsAlone() {
        assertThat(Place.of(with(SLURM, "SLURM_STEP_NUM_TASKS", null, "SLURM_PROCID", "0"))).isEmpty();
        assertThat(Place.of(with(SLURM, "SLURM_STEP_NUM_TASKS", "1", "SLURM_PROCID", "0"))).isEmpty();
        assertThat(Place.of(Map.of())).isEmpty();
    }

    @Test
    void firstHosts() {
        assertThat(Place.firstHost("a")).isEqualTo("a");
        assertThat(Place.firstHost("a,b")).isEqualTo("a");
        assertThat(Place.firstHost("gpu[7,9-11]-ib.x,b[1-2]")).isEqualTo("gpu7-ib.x");
    }

    @Test
    void nonsenseIsOneLine() {
        assertThatThrownBy(() -> Place.of(with(TORCHRUN, "RANK", "8"))).isInstanceOf(UserError.class)
                .hasMessageContaining("rank 8 of 8");
        assertThatThrownBy(() -> Place.of(with(TORCHRUN, "MASTER_ADDR", null))).isInstanceOf(UserError.class)
                .hasMessageContaining("MASTER_ADDR is not set");
        assertThatThrownBy(() -> Place.of(with(SLURM, "SLURM_PROCID", "x"))).isInstanceOf(UserError.class)
                .hasMessage("SLURM_PROCID=x: no number");
    }
}
