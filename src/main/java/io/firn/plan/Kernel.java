package io.firn.plan;

/**
 * What runs a launch.
 *
 * @param library        {@code onednn}, {@code firn} (own kernels), …
 * @param name           primitive or kernel
 * @param implementation which of the library's implementations; empty where there is one
 * @param variant        its number in the library's order of preference, 0 = first
 */
public record Kernel(String library, String name, String implementation, int variant) {

    public static Kernel own(String name) {
        return new Kernel("firn", name, "", 0);
    }

    @Override
    public String toString() {
        return library + ":" + name + (implementation.isEmpty() ? "" : " " + implementation);
    }
}
