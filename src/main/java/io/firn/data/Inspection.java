package io.firn.data;

import io.firn.error.UserError;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntConsumer;

/** What {@code firn data inspect} and {@code verify} find out by decoding every image of a data set once. */
public final class Inspection {
    private Inspection() {
    }

    /** The smallest, the middle (lower of two) and the largest of some numbers. */
    public record Range(int min, int median, int max) {
        static Optional<Range> of(int[] values) {
            if (values.length == 0) {
                return Optional.empty();
            }
            int[] sorted = values.clone();
            Arrays.sort(sorted);
            return Optional.of(new Range(sorted[0], sorted[(sorted.length - 1) / 2], sorted[sorted.length - 1]));
        }
    }

    /**
     * One part of a data set.
     *
     * @param perClass    images by class, in the order of the classes, damaged ones included
     * @param height      of the images that decode; empty where none does
     * @param width       of the images that decode
     * @param grayImages  how many of them are gray
     * @param damaged     the others, each with file and reason
     * @param duplicates  images that are the same, pixel for pixel, as an earlier one of this part
     */
    public record Part(String name, int images, List<Integer> perClass, Optional<Range> height, Optional<Range> width, int grayImages,
            List<DamagedImage> damaged, int duplicates) {
    }

    /**
     * Two images in different parts that are the same pixel for pixel, so that validation measures memory.
     *
     * @param sameLabel whether they have the same class as well
     */
    public record Leak(String training, String validation, boolean sameLabel) {
    }

    /**
     * The whole.
     *
     * @param channels 1 or 3, what a model for it takes in
     * @param leaks    every validation image that is in the training part too
     */
    public record Report(String name, List<String> classes, int channels, Part train, Optional<Part> validation, List<Leak> leaks,
            String fingerprint) {
    }

    /** What {@link #verify} found: nothing damaged means sound. */
    public record Verification(String name, int images, List<DamagedImage> damaged, String fingerprint) {
        public boolean sound() {
            return damaged.isEmpty();
        }
    }

    /**
     * Counts, sizes, damage, duplicates.
     *
     * @param workers  threads that decode
     * @param progress told how many images are done, now and then, from any thread
     */
    public static Report inspect(Splits splits, int workers, IntConsumer progress) {
        AtomicInteger done = new AtomicInteger();
        Scan train = Scan.of(splits.train(), workers, done, progress);
        Optional<Scan> validation = splits.validation().map(set -> Scan.of(set, workers, done, progress));
        Dataset set = splits.train();
        return new Report(set.name(), set.classes(), set.channels(), train.part("train"), validation.map(scan -> scan.part("validation")),
                validation.map(train::leaksInto).orElse(List.of()), set.fingerprint());
    }

    /** Decodes every image of every part and lists those that are damaged; parameters as for {@link #inspect}. */
    public static Verification verify(Splits splits, int workers, IntConsumer progress) {
        AtomicInteger done = new AtomicInteger();
        List<DamagedImage> damaged = new ArrayList<>(Scan.of(splits.train(), workers, done, progress).damaged());
        splits.validation().ifPresent(set -> damaged.addAll(Scan.of(set, workers, done, progress).damaged()));
        return new Verification(splits.train().name(), done.get(), List.copyOf(damaged), splits.train().fingerprint());
    }

    /** 128 bits of the SHA-256 of an image's size and pixels. */
    private record Content(long high, long low) {
        static Content of(Image image) {
            MessageDigest sha = Digest.sha256();
            sha.update(ByteBuffer.allocate(12).putInt(image.height()).putInt(image.width()).putInt(image.channels()).flip());
            ByteBuffer digest = ByteBuffer.wrap(sha.digest(image.pixels()));
            return new Content(digest.getLong(), digest.getLong());
        }
    }

    /** What one image turned out to be: seen or damaged. */
    private sealed interface Outcome {
        record Seen(Size size, boolean gray, Content content) implements Outcome {
        }

        record Damaged(DamagedImage why) implements Outcome {
        }
    }

    /** All images of a set, decoded once, in order. */
    private record Scan(Dataset set, Outcome[] outcomes) {
        static Scan of(Dataset set, int workers, AtomicInteger done, IntConsumer progress) {
            Outcome[] outcomes = new Outcome[set.size()];
            AtomicInteger next = new AtomicInteger();
            Runnable worker = () -> {
                for (int i = next.getAndIncrement(); i < outcomes.length; i = next.getAndIncrement()) {
                    outcomes[i] = look(set, i);
                    progress.accept(done.incrementAndGet());
                }
            };
            try (ExecutorService pool = Executors.newFixedThreadPool(workers, Thread.ofPlatform().daemon().name("firn-inspect-", 0).factory())) {
                List<Future<?>> running = new ArrayList<>();
                for (int i = 0; i < workers; i++) {
                    running.add(pool.submit(worker));
                }
                for (Future<?> each : running) {
                    each.get();
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw UserError.other("interrupted while reading %s", set.name()).causedBy(e);
            } catch (ExecutionException e) {
                throw e.getCause() instanceof UserError known ? known : new IllegalStateException("reading %s failed".formatted(set.name()), e.getCause());
            }
            return new Scan(set, outcomes);
        }

        private static Outcome look(Dataset set, int index) {
            try {
                Image image = set.image(index);
                return new Outcome.Seen(new Size(image.height(), image.width()), image.channels() == 1, Content.of(image));
            } catch (DamagedImage e) {
                return new Outcome.Damaged(e);
            }
        }

        List<Outcome.Seen> seen() {
            return Arrays.stream(outcomes).filter(Outcome.Seen.class::isInstance).map(Outcome.Seen.class::cast).toList();
        }

        List<DamagedImage> damaged() {
            return Arrays.stream(outcomes).filter(Outcome.Damaged.class::isInstance).map(outcome -> ((Outcome.Damaged) outcome).why).toList();
        }

        Part part(String name) {
            Integer[] perClass = new Integer[set.classes().size()];
            Arrays.fill(perClass, 0);
            for (int i = 0; i < set.size(); i++) {
                perClass[set.label(i)]++;
            }
            List<Outcome.Seen> seen = seen();
            return new Part(name, set.size(), List.of(perClass), Range.of(seen.stream().mapToInt(image -> image.size.height()).toArray()),
                    Range.of(seen.stream().mapToInt(image -> image.size.width()).toArray()),
                    (int) seen.stream().filter(Outcome.Seen::gray).count(), damaged(),
                    seen.size() - (int) seen.stream().map(Outcome.Seen::content).distinct().count());
        }

        List<Leak> leaksInto(Scan validation) {
            Map<Content, Integer> first = new HashMap<>();
            for (int i = 0; i < outcomes.length; i++) {
                if (outcomes[i] instanceof Outcome.Seen image) {
                    first.putIfAbsent(image.content, i);
                }
            }
            List<Leak> leaks = new ArrayList<>();
            for (int i = 0; i < validation.outcomes.length; i++) {
                if (validation.outcomes[i] instanceof Outcome.Seen image && first.get(image.content) instanceof Integer twin) {
                    leaks.add(new Leak(set.describe(twin), validation.set.describe(i), set.label(twin) == validation.set.label(i)));
                }
            }
            return leaks;
        }
    }
}
