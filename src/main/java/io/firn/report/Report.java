package io.firn.report;

import io.firn.error.UserError;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;

/**
 * One page about one or several runs, made from their folders alone. What a folder lacks, the page leaves out and says so.
 */
public final class Report {
    private final List<RunFiles> runs;

    private Report(List<RunFiles> runs) {
        this.runs = List.copyOf(runs);
    }

    /**
     * Reads the folders of one or several runs.
     *
     * @throws UserError (data) where one of them is no run's folder
     */
    public static Report of(List<Path> folders) {
        List<Path> all = folders.stream().map(f -> f.toAbsolutePath().normalize()).distinct().toList();
        boolean namesTell = all.stream().map(Path::getFileName).distinct().count() == all.size();
        return new Report(all.stream().map(f -> RunFiles.read(f, String.valueOf(namesTell ? f.getFileName() : f)))
                .toList());
    }

    /** What is missing or damaged: a sentence each, with the run where there are several. */
    public List<String> remarks() {
        return runs.stream().flatMap(r -> r.remarks().stream().map(m -> runs.size() == 1 ? m : r.name() + ": " + m)).toList();
    }

    /** The page: self-contained, and forbidden by itself to fetch anything. */
    public String html() {
        return Page.of(runs, title(), false);
    }

    /**
     * The same page for a run that goes on: it asks for itself again now and then, and shows what is new. What is missing
     * is yet to come, and not remarked.
     */
    String liveHtml() {
        return Page.of(runs.stream().map(RunFiles::withoutRemarks).toList(), title(), true);
    }

    private String title() {
        return runs.size() == 1 ? runs.getFirst().name()
                : runs.stream().map(RunFiles::name).collect(Collectors.joining(", "));
    }
}
