package io.firn.models;

import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/** Names that a mistyped one may have meant. */
public final class NearNames {
    private static final int MOST = 3;

    private NearNames() {
    }

    /** At most three of {@code names} within a third of the letters of {@code wanted}, nearest first. */
    public static List<String> of(String wanted, Collection<String> names) {
        record Near(String name, int distance) {
        }
        String key = key(wanted);
        return names.stream().map(n -> new Near(n, distance(key, key(n))))
                .filter(n -> 3 * n.distance() <= Math.max(key.length(), key(n.name()).length()))
                .sorted(Comparator.comparingInt(Near::distance)).limit(MOST).map(Near::name).toList();
    }

    // "ResNet-50" means resnet50: case and punctuation carry nothing.
    private static String key(String name) {
        return name.toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9.]", "");
    }

    /** Levenshtein's distance: the fewest insertions, deletions and replacements that turn one into the other. */
    static int distance(String a, String b) {
        int[] previous = new int[b.length() + 1];
        for (int j = 0; j <= b.length(); j++) {
            previous[j] = j;
        }
        for (int i = 1; i <= a.length(); i++) {
            int[] row = new int[b.length() + 1];
            row[0] = i;
            for (int j = 1; j <= b.length(); j++) {
                int replaced = previous[j - 1] + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                row[j] = Math.min(replaced, 1 + Math.min(previous[j], row[j - 1]));
            }
            previous = row;
        }
        return previous[b.length()];
    }
}
