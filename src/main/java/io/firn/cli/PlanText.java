package io.firn.cli;

import io.firn.plan.Exchanged;
import io.firn.plan.Launch;
import io.firn.plan.Plan;
import io.firn.plan.PlanMemory;
import io.firn.plan.PlanReport;
import java.util.List;
import java.util.Locale;

/** A plan for people: its launches as a table, then totals, memory and what freezing removed. */
final class PlanText {
    private PlanText() {
    }

    /** @param freeze what was asked to be frozen */
    static String of(PlanReport report, Plan plan, String freeze) {
        StringBuilder text = new StringBuilder();
        text.append("%s, %s %d at %d pixels, %s, %s (%s)%n".formatted(report.model(), report.microBatches() == 1 ? "batch"
                : report.microBatches() + " batches of", report.batch(), report.resolution(), report.precision(), report.target(), plan.target().device().describe()));
        text.append("kernels: %s; rates: %s%n".formatted(report.kernels(), report.rates()));
        text.append("%s parameters, %s trained%n%n".formatted(Console.count(report.parameters()),
                Console.count(report.trainableParameters())));
        text.append(launches(report)).append('\n').append(prepared(plan.prepare()));
        if (report.microBatches() > 1) {
            text.append("those before the last %d run for each of the %d batches%n".formatted(report.launches().stream()
                    .filter(l -> l.times() == 1).count(), report.microBatches()));
        }
        text.append("%d launches, predicted %s ms a step%n".formatted(report.launches().stream()
                .mapToInt(PlanReport.Step::times).sum(), ms(report.predictedMs())));
        text.append("FLOPs: %s forward, %s backward%n%n".formatted(Console.count(report.flops().forward()),
                Console.count(report.flops().backward())));
        text.append(memory(report.memory()));
        if (report.exchanged() != null) {
            text.append(exchanged(report.exchanged()));
        }
        if (!freeze.equals("none")) {
            text.append("\n--freeze %s against the whole:\n".formatted(freeze)).append(against(report));
        }
        return text.toString();
    }

    private static Console.Table launches(PlanReport report) {
        var table = new Console.Table(">#", "name", "op", "phase", "kernel", ">FLOPs", ">bytes", ">ms", "why");
        int number = 1;
        for (PlanReport.Step s : report.launches()) {
            table.row(number++, s.name(), s.op(), s.phase(), s.kernel(), s.flops() == 0 ? "" : Console.count(s.flops()),
                    Console.count(s.bytes()), ms(s.predictedMs()), s.reason());
        }
        return table;
    }

    private static String prepared(List<Launch> launches) {
        return launches.isEmpty() ? "" : "before the first step, once: %d launches that fold or pack weights, %s bytes%n"
                .formatted(launches.size(), Console.count(launches.stream().mapToLong(Launch::bytes).sum()));
    }

    private static Console.Table memory(PlanMemory m) {
        return new Console.Table("memory", ">bytes", "")
                .row("weights", Console.count(m.weights()), Console.bytes(m.weights()))
                .row("gradients", Console.count(m.gradients()), Console.bytes(m.gradients()))
                .row("optimizer", Console.count(m.optimizer()), Console.bytes(m.optimizer()))
                .row("activations", Console.count(m.activations()), Console.bytes(m.activations()))
                .row("workspace", Console.count(m.workspace()), Console.bytes(m.workspace()))
                .row("total", Console.count(m.total()), Console.bytes(m.total()));
    }

    /** What the step costs beside that of the same plan with nothing frozen. */
    private static Console.Table against(PlanReport r) {
        PlanReport.Removed removed = r.removed();
        var table = new Console.Table("", ">this plan", ">the whole", ">removed", ">share");
        row(table, "launches", r.launches().size(), removed.launches());
        row(table, "FLOPs", r.flops().forward() + r.flops().backward(), removed.flops());
        row(table, "bytes moved", r.launches().stream().mapToLong(l -> l.times() * l.bytes()).sum(), removed.bytes());
        row(table, "bytes of memory", r.memory().total(), removed.memory());
        return table.row("predicted ms", ms(r.predictedMs()), ms(r.predictedMs() + removed.predictedMs()),
                ms(removed.predictedMs()), percent(removed.predictedMs() / (r.predictedMs() + removed.predictedMs())));
    }

    private static void row(Console.Table table, String what, long here, long removed) {
        table.row(what, Console.count(here), Console.count(here + removed), Console.count(removed),
                percent((double) removed / (here + removed)));
    }

    private static String percent(double share) {
        return String.format(Locale.ROOT, "%.1f %%", 100 * share);
    }

    private static String exchanged(Exchanged e) {
        return String.format(Locale.ROOT, "%n%,d ranks: %d all-reduces of %s bytes; each rank sends %s bytes a step (%s)%n"
                + "predicted, not measured: %s ms, of which %s ms are not hidden; efficiency %.1f %%%n", e.ranks(), e.launches(),
                Console.count(e.bytes()), Console.count(e.wireBytes()), e.network(), ms(e.ms()), ms(e.exposedMs()),
                100 * e.efficiency());
    }

    private static String ms(double milliseconds) {
        return String.format(Locale.ROOT, "%,.3f", milliseconds);
    }
}
