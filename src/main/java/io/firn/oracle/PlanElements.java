package io.firn.oracle;

import io.firn.graph.Op;
import io.firn.graph.Shape;
import io.firn.graph.Type;
import io.firn.plan.Buffer;
import io.firn.plan.Layout;

/** Takes tensors from logical order to their places in a {@link Layout} and back. */
final class PlanElements {
    private PlanElements() {
    }

    /** Elements in the order of memory; a layout's padding is zero. Dense and opaque ones are as they were given. */
    static double[] store(Layout layout, Type type, double[] logical) {
        Op.check(logical.length == type.shape().elements(), "%d elements for %s", logical.length, type);
        if (inLogicalOrder(layout, type)) {
            return logical;
        }
        double[] placed = new double[Math.toIntExact(layout.bytes(type) / type.dtype().bytes())];
        each(layout, type.shape(), (place, i) -> placed[place] = logical[i]);
        return placed;
    }

    /** The inverse of {@link #store}. */
    static double[] load(Layout layout, Type type, double[] placed) {
        if (inLogicalOrder(layout, type)) {
            return placed;
        }
        double[] logical = new double[Math.toIntExact(type.shape().elements())];
        each(layout, type.shape(), (place, i) -> logical[i] = placed[place]);
        return logical;
    }

    /** Bytes of a buffer that hold elements or padding; an opaque one may be larger. */
    static long contentBytes(Buffer b) {
        return b.layout() instanceof Layout.Opaque ? b.type().bytes() : b.bytes();
    }

    private static boolean inLogicalOrder(Layout layout, Type type) {
        if (layout instanceof Layout.Opaque) {
            Op.check(layout.bytes(type) >= type.bytes(), "%s does not hold %s", layout, type);
            return true;
        }
        Op.check(layout instanceof Layout.Dense || type.shape().rank() == 4, "%s is no activation to lie as %s", type,
                layout.label());
        return layout instanceof Layout.Dense;
    }

    @FunctionalInterface
    private interface Element {
        void visit(int place, int logical);
    }

    private static void each(Layout layout, Shape s, Element visitor) {
        int i = 0;
        for (int n = 0; n < s.n(); n++) {
            for (int c = 0; c < s.c(); c++) {
                for (int h = 0; h < s.h(); h++) {
                    for (int w = 0; w < s.w(); w++) {
                        visitor.visit(Math.toIntExact(layout.offset(s, n, c, h, w)), i++);
                    }
                }
            }
        }
    }
}
