package io.firn.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;

/** The pages say what there is: commands and options, messages, and other pages. {@link DocsCommandsTest} runs them. */
class DocsTest {
    private static final Pattern LITERAL = Pattern.compile("\"((?:[^\"\\\\]|\\\\.)*)\"");
    private static final Pattern LINK = Pattern.compile("]\\(([^)#]+)(#[^)]*)?\\)");
    private static final Pattern FORMAT = Pattern.compile("%(\\d+\\$)?[-,0-9.]*[a-z]");

    static Stream<DocsPages.Block> blocks() {
        return DocsPages.blocks("sh").stream();
    }

    @ParameterizedTest
    @MethodSource("blocks")
    void everyCommandIsOne(DocsPages.Block block) {
        for (String command : block.commands()) {
            List<String> words = DocsPages.firnWords(command);
            assertThatCode(() -> {
                CommandLine line = new CommandLine(new Main(null, System.err)).setCaseInsensitiveEnumValuesAllowed(true);
                CommandLine.ParseResult parsed = line.parseArgs(words.toArray(String[]::new));
                if (parsed.hasSubcommand() && parsed.subcommand().commandSpec().name().equals("submit")) {
                    List<String> inner = parsed.subcommand().matchedPositionals().stream()
                            .flatMap(p -> p.originalStringValues().stream()).map(w -> w.equals("{}") ? "0" : w).toList();
                    new CommandLine(new Main(null, System.err)).parseArgs(inner.toArray(String[]::new));
                }
            }).as(command).doesNotThrowAnyException();
        }
    }

    @Test
    void linksLeadSomewhere() {
        for (Path page : DocsPages.pages()) {
            Matcher m = LINK.matcher(DocsPages.read(page));
            while (m.find()) {
                if (!m.group(1).startsWith("http")) {
                    assertThat(page.toAbsolutePath().resolveSibling(m.group(1))).as(page + ": " + m.group()).exists();
                }
            }
        }
    }

    @Test
    void theIndexHasEveryPage() {
        String index = DocsPages.read(Path.of("docs/README.md"));
        assertThat(DocsPages.pages()).filteredOn(p -> p.startsWith("docs") && !p.endsWith("README.md"))
                .allSatisfy(p -> assertThat(index).contains("(" + p.getFileName() + ")"));
    }

    /** What a heading of the page on troubles quotes is a message in the sources; "…" stands for what varies. */
    @Test
    void messagesAreTheProgramsOwn() throws IOException {
        List<String> literals = literals();
        List<String> quoted = DocsPages.read(Path.of("docs/troubleshooting.md")).lines()
                .filter(l -> l.startsWith("### ")).map(l -> l.substring(4).strip()).toList();
        assertThat(quoted).hasSizeGreaterThan(20).allSatisfy(heading -> {
            assertThat(heading).startsWith("`").endsWith("`");
            String message = heading.substring(1, heading.length() - 1);
            assertThat(literals).as("a message that holds: " + message).anyMatch(l -> l.contains(message));
        });
    }

    /** All strings of the sources, those that are added up joined, with … where a value is put in. */
    private static List<String> literals() throws IOException {
        try (Stream<Path> files = Files.walk(Path.of("src/main/java"))) {
            return files.filter(f -> f.toString().endsWith(".java")).map(DocsPages::read)
                    .flatMap(text -> LITERAL.matcher(text.replaceAll("\"\\s*\\+\\s*\"", "")).results())
                    .map(r -> FORMAT.matcher(r.group(1).replace("%%", "\0")).replaceAll("…").replace("\0", "%")
                            .replace("\\\"", "\""))
                    .filter(l -> l.length() > 10).distinct().collect(Collectors.toList());
        }
    }

    @Test
    void aPageThatIsWrongWouldBeSeen() throws IOException {
        assertThat(literals()).noneMatch(l -> l.contains("no message of Firn's reads " + Locale.ROOT.getLanguage() + "!"));
        assertThatCode(() -> new CommandLine(new Main(null, System.err)).parseArgs("train", "--no-such-option"))
                .isInstanceOf(CommandLine.UnmatchedArgumentException.class);
        assertThat(DocsPages.firnWords("srun -N2 ./firn train --data 'a b' | head")).containsExactly("train", "--data", "a b");
    }
}
