package io.firn.cli;

import io.firn.study.Job;
import java.util.List;
import java.util.Locale;

/**
 * What one run of a study will cost.
 *
 * @param flops   of all its steps
 * @param bytes   of memory
 * @param seconds predicted
 */
record PricedRun(String run, String model, int resolution, long parameters, long multiplyAdds, double flops, long bytes,
                 long steps, double seconds) {

    static List<PricedRun> of(List<Job> jobs) {
        return jobs.stream().map(j -> new PricedRun(j.name(), j.price().model(), j.price().resolution(), j.price().parameters(),
                j.price().multiplyAdds(), j.price().totalFlops(), j.price().bytes(), j.price().steps(), j.price().seconds()))
                .toList();
    }

    static String text(List<PricedRun> runs) {
        Console.Table table = new Console.Table("run", ">resolution", ">parameters", ">multiply-adds", ">FLOPs", ">memory",
                ">steps", ">predicted s");
        runs.forEach(r -> table.row(r.run, r.resolution, Console.count(r.parameters), Console.count(r.multiplyAdds),
                String.format(Locale.ROOT, "%.3g", r.flops), Console.bytes(r.bytes), Console.count(r.steps),
                String.format(Locale.ROOT, "%.0f", r.seconds)));
        return String.format(Locale.ROOT, "%s%n%d runs, %.3g FLOPs, predicted %.0f s one after the other%n", table, runs.size(),
                runs.stream().mapToDouble(PricedRun::flops).sum(), runs.stream().mapToDouble(PricedRun::seconds).sum());
    }
}
