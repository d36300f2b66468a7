package io.firn.backend.cpu;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import jdk.incubator.vector.FloatVector;

/**
 * The {@link Vec}s of one pass as a short program that fills a frame's coefficient vectors: what depends on channels
 * only once a task, the rest once a sample. Equal expressions share a place.
 */
final class Coefficients {
    /** One expression: where its value goes, and the places of its operands. */
    private record Entry(Vec vec, int to, int a, int b) {
    }

    /** Floats between two places: the most lanes that a vector has. */
    private static final int PLACE = 16;

    private final Map<Vec, Integer> places = new HashMap<>();
    private final List<Entry> byChannel = new ArrayList<>();
    private final List<Entry> bySample = new ArrayList<>();
    private int size;

    /** The place of an expression's value. */
    int place(Vec v) {
        Integer known = places.get(v);
        if (known != null) {
            return known;
        }
        int a = 0;
        int b = 0;
        if (v instanceof Vec.Times(Vec x, Vec y)) {
            a = place(x);
            b = place(y);
        } else if (v instanceof Vec.Plus(Vec x, Vec y)) {
            a = place(x);
            b = place(y);
        }
        int to = variable();
        places.put(v, to);
        (v.perSample() ? bySample : byChannel).add(new Entry(v, to, a, b));
        return to;
    }

    /** A place that no expression fills. */
    int variable() {
        size += PLACE;
        return size - PLACE;
    }

    /** Floats that one vector's worth of channels needs. */
    int size() {
        return size;
    }

    /** Fills what depends on the {@code lanes} channels from {@code c} only. */
    void fillChannels(Frame f, int offset, int c, int lanes) {
        for (int i = 0; i < byChannel.size(); i++) {
            fill(byChannel.get(i), f, offset, c, lanes, 0, null);
        }
    }

    /** Fills the rest, which depends on the sample too. */
    void fillSample(Frame f, int offset, int c, int lanes, int n, float[][] survival) {
        for (int i = 0; i < bySample.size(); i++) {
            fill(bySample.get(i), f, offset, c, lanes, n, survival);
        }
    }

    private static void fill(Entry e, Frame f, int offset, int c, int lanes, int n, float[][] survival) {
        int to = offset + e.to;
        // Every case stores its own vector: one that could come from several places would become an object.
        switch (e.vec) {
            case Vec.Constant k -> FloatVector.broadcast(Simd.F, k.value()).intoArray(f.coefficients, to);
            case Vec.Valid valid ->
                    Simd.ZERO.blend(Simd.ONE, Simd.F.indexInRange(0, lanes)).intoArray(f.coefficients, to);
            case Vec.Channel ch -> row(f, to, ch.tensor().address() + 4L * c, lanes);
            case Vec.Row r -> row(f, to, r.tensor().address() + 4L * ((long) n * r.tensor().type().shape().c() + c), lanes);
            case Vec.Survival s -> FloatVector.broadcast(Simd.F, survival[s.drop()][n]).intoArray(f.coefficients, to);
            case Vec.Times t -> at(f, offset + e.a).mul(at(f, offset + e.b)).intoArray(f.coefficients, to);
            case Vec.Plus p -> at(f, offset + e.a).add(at(f, offset + e.b)).intoArray(f.coefficients, to);
        }
    }

    private static void row(Frame f, int to, long address, int lanes) {
        if (lanes < Simd.LANES) {
            Simd.loadPart(address, Math.max(0, lanes), false).intoArray(f.coefficients, to);
        } else {
            Simd.load(address).intoArray(f.coefficients, to);
        }
    }

    private static FloatVector at(Frame f, int index) {
        return FloatVector.fromArray(Simd.F, f.coefficients, index);
    }
}
