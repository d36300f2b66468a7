package io.firn.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** What README and the pages of {@code docs} tell their readers to type: fenced blocks of {@code sh} and {@code java}. */
final class DocsPages {
    private static final Pattern BLOCK = Pattern.compile("^```(\\w+)\\n(.*?)^```$", Pattern.MULTILINE | Pattern.DOTALL);
    private static final Pattern WORD = Pattern.compile("\"([^\"]*)\"|'([^']*)'|(\\S+)");

    private DocsPages() {
    }

    /**
     * A fenced block.
     *
     * @param page with the line at which it begins
     */
    record Block(String page, String language, String text) {

        /** Its lines that are commands, comments taken off; a backslash at a line's end joins it with the next. */
        List<String> commands() {
            return text.replace("\\\n", " ").lines().map(l -> l.replaceFirst("(^|\\s+)#.*$", "").strip())
                    .filter(l -> !l.isEmpty()).toList();
        }

        @Override
        public String toString() {
            return page;
        }
    }

    static List<Path> pages() {
        try (Stream<Path> docs = Files.list(Path.of("docs"))) {
            return Stream.concat(Stream.of(Path.of("README.md")), docs.filter(p -> p.toString().endsWith(".md")).sorted())
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static String read(Path page) {
        try {
            return Files.readString(page);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The blocks of a language on all pages. */
    static List<Block> blocks(String language) {
        List<Block> blocks = new ArrayList<>();
        for (Path page : pages()) {
            String text = read(page);
            Matcher m = BLOCK.matcher(text);
            while (m.find()) {
                if (m.group(1).equals(language)) {
                    blocks.add(new Block(page + ":" + text.substring(0, m.start()).lines().count(), language, m.group(2)));
                }
            }
        }
        return blocks;
    }

    /** What follows {@code ./firn} in a command, up to what the shell does with it; empty where it is no command of Firn's. */
    static List<String> firnWords(String command) {
        List<String> words = new ArrayList<>();
        Matcher m = WORD.matcher(command);
        boolean inside = false;
        while (m.find()) {
            String word = m.group(3) != null ? m.group(3) : m.group(1) != null ? m.group(1) : m.group(2);
            if (inside && List.of("|", ">", "&&", "&", ";").contains(word)) {
                break;
            }
            if (inside) {
                words.add(word);
            }
            inside |= word.equals("./firn");
        }
        return words;
    }
}
