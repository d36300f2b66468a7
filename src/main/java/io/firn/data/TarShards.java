package io.firn.data;

import io.firn.error.UserError;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Tar files in WebDataset's form: members that share a name up to its first dot are a sample, of which the image and the
 * {@code .cls} file (a class's number or name) count. Their headers are read once, when the set is opened; images are read
 * from where they lie in the tar files. A {@code classes.txt} beside them has a name a line for numbered classes.
 */
public final class TarShards implements Dataset {
    private static final Pattern RANGE = Pattern.compile("\\{(\\d+)\\.\\.(\\d+)}");
    private static final List<String> VALIDATION = List.of("val", "valid", "validation", "test");
    private static final int MOST_SHARDS = 1_000_000;
    private static final int MOST_CLASSES = 1_000_000;

    private final String name;
    private final List<TarIndex> shards;
    private final int[] starts;
    private final List<String> classes;
    private final int[] labels;
    private final int channels;
    private final String fingerprint;

    private TarShards(String name, List<TarIndex> shards, Optional<Path> names) {
        this.name = name;
        this.shards = shards;
        starts = new int[shards.size()];
        int size = 0;
        for (int i = 0; i < starts.length; i++) {
            starts[i] = size;
            size = Math.addExact(size, shards.get(i).samples().size());
        }
        List<String> texts = samples().map(TarIndex.Sample::label).toList();
        classes = classes(texts, names);
        labels = labels(texts);
        Digest digest = new Digest().add(String.join("\n", classes));
        shards.forEach(s -> digest.add(s.file().getFileName().toString()).add(s.bytes()));
        samples().forEach(s -> digest.add(s.name()).add(s.offset()).add(s.length()));
        Arrays.stream(labels).forEach(digest::add);
        fingerprint = digest.hex();
        channels = ImageFiles.channels(size, this::head);
    }

    private Stream<TarIndex.Sample> samples() {
        return shards.stream().flatMap(s -> s.samples().stream());
    }

    /** Whether this names tar files, or a folder of them or of parts that are such folders. */
    static boolean matches(String spec) {
        return isTar(spec) || !expand(Path.of(spec)).isEmpty() || !expand(Path.of(spec).resolve("train")).isEmpty();
    }

    private static boolean isTar(String name) {
        return name.endsWith(".tar");
    }

    /**
     * Opens a tar file, several (as {@code photos-{000..146}.tar}), or a folder of them. Files or folders named
     * {@code train…} beside {@code val…} (or valid, validation, test) are two parts.
     *
     * @param say told how many samples of which file are left out for want of an image or a label, or past a size
     * @throws UserError where a file cannot be read, is cut off, or is no tar file
     */
    static Splits open(String spec, Consumer<String> say) {
        Path path = Path.of(spec);
        List<Path> files = isTar(spec) ? range(spec) : expand(path);
        if (files.isEmpty()) {
            Dataset train = read(path.resolve("train").toString(), expand(path.resolve("train")), names(path), say);
            return new Splits(train, VALIDATION.stream().map(path::resolve).filter(f -> !expand(f).isEmpty()).findFirst()
                    .map(f -> read(f.toString(), expand(f), names(path), say)));
        }
        Optional<Path> names = names(files.getFirst().toAbsolutePath().getParent());
        List<Path> train = starting(files, "train"::equals);
        List<Path> validation = starting(files, VALIDATION::contains);
        if (train.isEmpty() || validation.isEmpty() || train.size() + validation.size() < files.size()) {
            return new Splits(read(spec, files, names, say), Optional.empty());
        }
        return new Splits(read(spec + " (train)", train, names, say), Optional.of(read(spec + " (validation)", validation, names, say)));
    }

    /** A tar file's images without their labels. */
    static Dataset unlabelled(Path file, Consumer<String> say) {
        return new TarShards(file.toString(), List.of(TarIndex.read(file, false, say)), Optional.empty());
    }

    private static TarShards read(String name, List<Path> files, Optional<Path> names, Consumer<String> say) {
        List<TarIndex> shards = files.stream().map(f -> TarIndex.read(f, true, say)).toList();
        if (shards.stream().allMatch(s -> s.samples().isEmpty())) {
            throw UserError.data("%s holds no sample: expected members such as 000001.jpg and 000001.cls", name);
        }
        return new TarShards(name, shards, names);
    }

    private static List<Path> starting(List<Path> files, Predicate<String> part) {
        return files.stream().filter(f -> part.test(f.getFileName().toString().split("[^a-z]", 2)[0])).toList();
    }

    private static Optional<Path> names(Path folder) {
        return Optional.of(folder.resolve("classes.txt")).filter(Files::isRegularFile);
    }

    private static List<Path> expand(Path folder) {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(f -> isTar(f.toString()) && !f.getFileName().toString().startsWith(".")).sorted().toList();
        } catch (IOException e) {
            throw UserError.data("%s cannot be read: %s", folder, e).causedBy(e);
        }
    }

    private static List<Path> range(String spec) {
        Matcher range = RANGE.matcher(spec);
        if (!range.find()) {
            return List.of(Path.of(spec));
        }
        if (range.group(1).length() > 9 || range.group(2).length() > 9) {
            throw UserError.usage("%s: numbers of at most nine digits make a range", spec);
        }
        int first = Integer.parseInt(range.group(1));
        int last = Integer.parseInt(range.group(2));
        if (last < first || last - first >= MOST_SHARDS) {
            throw UserError.usage("%s: %s is no range of at most %,d files", spec, range.group(), MOST_SHARDS);
        }
        String number = "%0" + range.group(1).length() + "d";
        return IntStream.rangeClosed(first, last)
                .mapToObj(i -> Path.of(spec.substring(0, range.start()) + number.formatted(i) + spec.substring(range.end()))).toList();
    }

    private static List<String> classes(List<String> labels, Optional<Path> names) {
        List<String> distinct = labels.stream().filter(label -> label != null).distinct().toList();
        if (distinct.isEmpty()) {
            return List.of();
        }
        boolean numbered = distinct.stream().allMatch(label -> label.matches("\\d{1,9}"));
        if (!numbered) {
            return distinct.stream().sorted().toList();
        }
        int count = distinct.stream().mapToInt(Integer::parseInt).max().getAsInt() + 1;
        if (names.isPresent()) {
            List<String> given = lines(names.get());
            if (given.size() < count) {
                throw UserError.data("%s names %,d classes, but there is an image of class %,d (counted from 0)", names.get(),
                        given.size(), count - 1);
            }
            return given;
        }
        if (count > MOST_CLASSES) {
            throw UserError.data("an image is said to be of class %,d: more than the %,d classes that Firn takes", count - 1, MOST_CLASSES);
        }
        return IntStream.range(0, count).mapToObj(String::valueOf).toList();
    }

    private static List<String> lines(Path file) {
        try (Stream<String> lines = Files.lines(file)) {
            return lines.map(String::strip).filter(line -> !line.isEmpty()).toList();
        } catch (IOException | java.io.UncheckedIOException e) {
            throw UserError.data("%s cannot be read: %s", file, e.getMessage()).causedBy(e);
        }
    }

    private int[] labels(List<String> texts) {
        boolean numbered = texts.stream().allMatch(label -> label == null || label.matches("\\d{1,9}"));
        var places = new java.util.HashMap<String, Integer>();
        for (int i = 0; i < classes.size(); i++) {
            places.put(classes.get(i), i);
        }
        return texts.stream().mapToInt(label -> label == null ? -1 : numbered ? Integer.parseInt(label) : places.get(label)).toArray();
    }

    /** Which shard an image lies in. */
    private int shard(int index) {
        int at = Arrays.binarySearch(starts, index);
        int place = at < 0 ? -at - 2 : at;
        // Shards without samples begin where the next one does.
        while (place + 1 < starts.length && starts[place + 1] == index) {
            place++;
        }
        return place;
    }

    private TarIndex.Sample sample(int index) {
        int shard = shard(index);
        return shards.get(shard).samples().get(index - starts[shard]);
    }

    private Path file(int index) {
        return shards.get(shard(index)).file();
    }

    @Override
    public String name() {
        return name;
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
        return "%s in %s".formatted(sample(index).name(), file(index));
    }

    @Override
    public Image image(int index) throws DamagedImage {
        return image(index, Reduction.NONE);
    }

    @Override
    public Image image(int index, Reduction reduction) throws DamagedImage {
        return Decoder.decode(head(index, Integer.MAX_VALUE), describe(index), reduction);
    }

    /** An image file's first bytes, at most so many. */
    private byte[] head(int index, int most) throws DamagedImage {
        TarIndex.Sample sample = sample(index);
        ByteBuffer bytes = ByteBuffer.allocate(Math.min(most, sample.length()));
        try (FileChannel channel = FileChannel.open(file(index), StandardOpenOption.READ)) {
            while (bytes.hasRemaining()) {
                if (channel.read(bytes, sample.offset() + bytes.position()) < 0) {
                    throw new DamagedImage(describe(index), "the tar file became shorter");
                }
            }
            return bytes.array();
        } catch (IOException e) {
            throw new DamagedImage(describe(index), "cannot be read: " + e.getMessage());
        }
    }

    @Override
    public int[] shards() {
        return starts.clone();
    }

    @Override
    public String fingerprint() {
        return fingerprint;
    }
}
