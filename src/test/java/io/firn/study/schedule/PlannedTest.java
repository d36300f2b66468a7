package io.firn.study.schedule;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.json.JsonMapper;
import io.firn.files.AtomicFile;
import java.io.IOException;
import java.util.List;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What the simulations schedule is what the planner says. {@code -Dfirn.write=true} writes the file anew. */
@Tag("slow")
class PlannedTest {
    @Test
    void theFileHoldsWhatThePlannerSays() throws IOException {
        List<Planned> now = Planned.plan();
        if (Boolean.getBoolean("firn.write")) {
            AtomicFile.write(Planned.FILE, JsonMapper.builder().build().writerWithDefaultPrettyPrinter().writeValueAsBytes(now));
        }
        List<Planned> kept = Planned.read();
        assertThat(kept).extracting(Planned::model).isEqualTo(now.stream().map(Planned::model).toList());
        for (int i = 0; i < now.size(); i++) {
            assertThat(kept.get(i).milliseconds()).isCloseTo(now.get(i).milliseconds(), Percentage.withPercentage(5));
            assertThat((double) kept.get(i).bytes()).isCloseTo(now.get(i).bytes(), Percentage.withPercentage(5));
        }
    }
}
