package io.firn.data;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.dataformat.csv.CsvMapper;
import com.fasterxml.jackson.dataformat.csv.CsvParser;
import com.fasterxml.jackson.dataformat.csv.CsvSchema;
import io.firn.error.UserError;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * A CSV or TSV file with an image and its class a line: {@code photos/1.jpg,cat}. Paths are taken from where the list lies;
 * a first line such as {@code path,label} is a heading. Classes are sorted by name, or by number where all are numbers.
 */
public final class ImageList implements Dataset {
    private static final Set<String> HEADINGS = Set.of("path", "file", "filename", "image");
    private static final long MOST_BYTES = 1L << 30;

    private final Path list;
    private final List<String> files;
    private final List<String> classes;
    private final int[] labels;
    private final int channels;
    private final String fingerprint;

    private ImageList(Path list, List<String> files, List<String> names) {
        this.list = list;
        this.files = files;
        boolean numbered = names.stream().allMatch(name -> name.matches("\\d{1,9}"));
        classes = numbered ? names.stream().map(Integer::valueOf).distinct().sorted().map(String::valueOf).toList()
                : names.stream().distinct().sorted().toList();
        Map<String, Integer> places = new HashMap<>();
        classes.forEach(name -> places.put(name, places.size()));
        // 007 is 7.
        labels = names.stream().mapToInt(name -> places.get(numbered ? String.valueOf(Integer.parseInt(name)) : name)).toArray();
        Digest digest = new Digest().add(String.join("\n", classes));
        for (int i = 0; i < labels.length; i++) {
            digest.add(files.get(i)).add(labels[i]);
        }
        fingerprint = digest.hex();
        channels = ImageFiles.channels(files.stream().map(this::path).toList());
    }

    /** Whether the name is a list's. */
    static boolean matches(Path file) {
        String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
        return name.endsWith(".csv") || name.endsWith(".tsv");
    }

    /**
     * Reads a list. The images are not looked at yet: one that is missing is a damaged image.
     *
     * @throws UserError where a line is not an image and a class, naming the line
     */
    static ImageList open(Path list) {
        CsvSchema schema = CsvSchema.emptySchema();
        if (list.toString().toLowerCase(Locale.ROOT).endsWith(".tsv")) {
            schema = schema.withColumnSeparator('\t');
        }
        List<String> files = new ArrayList<>();
        List<String> names = new ArrayList<>();
        var mapper = CsvMapper.builder().enable(CsvParser.Feature.WRAP_AS_ARRAY).enable(CsvParser.Feature.TRIM_SPACES)
                .enable(CsvParser.Feature.SKIP_EMPTY_LINES).build();
        try {
            if (Files.size(list) > MOST_BYTES) {
                throw UserError.data("%s has %,d bytes: too large for a list of images", list, Files.size(list));
            }
            try (MappingIterator<String[]> rows = mapper.readerFor(String[].class).with(schema).readValues(list.toFile())) {
                while (rows.hasNextValue()) {
                    String[] row = rows.nextValue();
                    int line = rows.getCurrentLocation().getLineNr();
                    if (files.isEmpty() && HEADINGS.contains(row[0].toLowerCase(Locale.ROOT))) {
                        continue;
                    }
                    if (row.length < 2 || row[0].isEmpty() || row[1].isEmpty() || !isPath(row[0])) {
                        throw UserError.data("%s, image %,d of the list (near line %d): expected an image's path and its class, found '%s'",
                                list, files.size() + 1, line, String.join(" | ", row));
                    }
                    files.add(row[0]);
                    names.add(row[1]);
                }
            }
        } catch (JacksonException e) {
            throw UserError.data("%s is no %s list: %s", list, schema.getColumnSeparator() == '\t' ? "TSV" : "CSV",
                    e.getOriginalMessage()).causedBy(e);
        } catch (IOException e) {
            throw UserError.data("%s cannot be read: %s", list, e.getMessage()).causedBy(e);
        }
        if (files.isEmpty()) {
            throw UserError.data("%s lists no image: expected lines such as photos/1.jpg,cat", list);
        }
        return new ImageList(list, List.copyOf(files), names);
    }

    private static boolean isPath(String text) {
        try {
            Path.of(text);
            return true;
        } catch (InvalidPathException e) {
            return false;
        }
    }

    private Path path(String file) {
        return list.resolveSibling(file);
    }

    @Override
    public String name() {
        return list.toString();
    }

    @Override
    public List<String> classes() {
        return classes;
    }

    @Override
    public int size() {
        return labels.length;
    }

    @Override
    public int channels() {
        return channels;
    }

    @Override
    public int label(int index) {
        return labels[index];
    }

    @Override
    public Optional<Size> uniformSize() {
        return Optional.empty();
    }

    @Override
    public String describe(int index) {
        return path(files.get(index)).toString();
    }

    @Override
    public Image image(int index) throws DamagedImage {
        return image(index, Reduction.NONE);
    }

    @Override
    public Image image(int index, Reduction reduction) throws DamagedImage {
        return Decoder.decode(path(files.get(index)), reduction);
    }

    @Override
    public String fingerprint() {
        return fingerprint;
    }
}
