package io.firn.study;

import io.firn.study.schedule.Executor;
import java.nio.file.Path;
import java.util.List;

/** Where a study's trainings run: this machine, or a cluster. */
public interface Site {

    /**
     * How it is divided for a study of that many runs.
     *
     * @throws io.firn.error.UserError where there is no such place, or it has less than was asked for
     */
    Slots slots(int runs);

    /** Carries out these trainings. What an earlier process has left under way there is taken over. */
    Executor open(Slots slots, Path study, List<Training> trainings);
}
