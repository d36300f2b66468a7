package io.firn.report;

import static j2html.TagCreator.code;
import static j2html.TagCreator.dd;
import static j2html.TagCreator.details;
import static j2html.TagCreator.div;
import static j2html.TagCreator.dl;
import static j2html.TagCreator.dt;
import static j2html.TagCreator.each;
import static j2html.TagCreator.pre;
import static j2html.TagCreator.summary;

import com.fasterxml.jackson.databind.JsonNode;
import j2html.tags.DomContent;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;

/** Where and how the runs were made: each process's command and machine, and every option as resolved. */
final class EnvironmentSection {
    private EnvironmentSection() {
    }

    static Optional<DomContent> of(List<RunFiles> runs) {
        return Html.perRun("environment", "Command and environment", "A process for each start of the run.", runs, r ->
                r.environment().isEmpty() && r.config().isEmpty() ? Optional.empty() : Optional.of(div(
                        each(r.environment(), EnvironmentSection::process),
                        r.config().isEmpty() ? div() : details(summary("All options, as resolved"),
                                Html.rows(List.of("Option", "Value"), r.config().entrySet().stream()
                                        .map(e -> List.of("--" + e.getKey(), e.getValue())).toList())))));
    }

    private static DomContent process(JsonNode process) {
        return div(pre(code(command(process))).withTabindex(0), dl(each(facts(process).entrySet(), f ->
                div(dt(f.getKey()), dd(f.getValue())))).withClass("facts"));
    }

    private static String command(JsonNode process) {
        List<String> words = new ArrayList<>();
        process.path("command").forEach(w -> words.add(w.asText()));
        return words.isEmpty() ? "asked for by a Java program" : Text.command(words);
    }

    private static SequencedMap<String, String> facts(JsonNode process) {
        SequencedMap<String, String> facts = new LinkedHashMap<>();
        facts.put("Started", process.path("started").asText());
        if (process.path("step").asLong() > 0) {
            facts.put("Went on at step", Text.count(process.path("step").asLong()));
        }
        facts.put("Firn", process.path("firn").isTextual() ? process.path("firn").asText() : "not packaged");
        facts.put("Libraries", process.path("libraries").asText());
        JsonNode machine = process.path("machine");
        List<String> instructions = new ArrayList<>();
        machine.path("instructions").forEach(i -> instructions.add(i.asText()));
        facts.put("Processor", "%s, %d cores%s".formatted(machine.path("processor").asText(), machine.path("cores").asInt(),
                instructions.isEmpty() ? "" : ", " + String.join(", ", instructions)));
        facts.put("Memory", Text.fixed(machine.path("memory").asLong() / 1e9, 1) + " GB");
        facts.put("Device", process.path("target").path("name").asText() + ", " + process.path("target").path("threads").asInt()
                + " threads");
        facts.put("Java", process.path("java").asText());
        facts.put("System", process.path("system").asText());
        return facts;
    }
}
