package io.firn.data;

import io.firn.error.UserError;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * The built-in set {@code fashion-mnist}: 60,000 and 10,000 gray 28x28 pictures of clothes (Xiao et al., 2017, MIT
 * licence). Looked for in Firn's cache, then where Debian's package puts it, else fetched into the cache. Whatever
 * its origin, the uncompressed bytes must have the known checksums.
 */
public final class FashionMnist {
    /** The name that stands for it on the command line. */
    public static final String NAME = "fashion-mnist";
    static final List<String> CLASSES = List.of("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt",
            "Sneaker", "Bag", "Ankle boot");

    /** SHA-256 of each file uncompressed: compressed, Debian's copy differs from the original. */
    private static final Map<String, String> SHA256 = new TreeMap<>(Map.of(
            "train-images-idx3-ubyte", "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "train-labels-idx1-ubyte", "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "t10k-images-idx3-ubyte", "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "t10k-labels-idx1-ubyte", "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"));
    private static final Path DEBIAN = Path.of("/usr/share/datasets/fashion-mnist");

    private FashionMnist() {
    }

    /** Whether a file with this content is this set's, by the checksum of its uncompressed bytes. */
    static boolean hasImages(String sha256) {
        return SHA256.get("train-images-idx3-ubyte").equals(sha256) || SHA256.get("t10k-images-idx3-ubyte").equals(sha256);
    }

    /**
     * Opens it, fetching it first where it is not on this machine.
     *
     * @param progress is told what takes time
     * @throws UserError where it cannot be fetched, or a copy has other content
     */
    public static Splits open(Consumer<String> progress) {
        Path folder = locate().orElseGet(() -> fetch(progress));
        Splits splits = Idx.open(folder);
        Stream.of(splits.train(), splits.validation().orElseThrow())
                .flatMap(set -> ((Idx) set).files().stream()).forEach(FashionMnist::check);
        return splits;
    }

    /** The folder with all four files, where there is one on this machine. */
    public static Optional<Path> locate() {
        return Stream.of(cache(), DEBIAN).filter(folder -> SHA256.keySet().stream().allMatch(name -> file(folder, name).isPresent())).findFirst();
    }

    /**
     * Fetches it into the cache, verified, and returns the folder.
     *
     * @throws UserError where no source has it, or the cache cannot be written
     */
    public static Path fetch(Consumer<String> progress) {
        Path folder = cache();
        try {
            Files.createDirectories(folder);
            Path temporary = Files.createTempDirectory(folder, ".fetch-");
            try {
                Path found = FashionMnistSource.fetch(temporary, SHA256.keySet(), progress);
                for (String name : SHA256.keySet()) {
                    Path file = file(found, name).orElseThrow(() -> UserError.other("the fetched Fashion-MNIST lacks %s: try again later", name));
                    check(IdxFile.read(file, name.contains("images") ? 3 : 1));
                    install(file, folder);
                }
            } finally {
                FashionMnistSource.delete(temporary);
            }
            return folder;
        } catch (IOException e) {
            throw UserError.other("cannot write %s: %s; set FIRN_CACHE to a folder with room", folder, e).causedBy(e);
        }
    }

    private static Path cache() {
        return CacheFolder.of("datasets").resolve(NAME);
    }

    private static Optional<Path> file(Path folder, String name) {
        return Stream.of(name, name + ".gz").map(folder::resolve).filter(Files::isRegularFile).findFirst();
    }

    private static void check(IdxFile file) {
        String name = file.path().getFileName().toString().replaceFirst("\\.gz$", "");
        if (!file.sha256().equals(SHA256.get(name))) {
            throw UserError.data("%s is not Fashion-MNIST's (SHA-256 %s uncompressed, expected %s): delete it, and Firn fetches it again",
                    file.path(), file.sha256(), SHA256.get(name));
        }
    }

    /** Flushed before it gets its name, so that a crash leaves no half file under it. */
    private static void install(Path file, Path folder) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.force(true);
        }
        Path target = folder.resolve(file.getFileName());
        try {
            Files.move(file, target, StandardCopyOption.ATOMIC_MOVE);
        } catch (AtomicMoveNotSupportedException _) {
            Files.move(file, target, StandardCopyOption.REPLACE_EXISTING);
        }
    }
}
