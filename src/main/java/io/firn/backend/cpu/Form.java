package io.firn.backend.cpu;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * An activation as a weighted sum of others: Σ factor · atom + shift. Normalising, adding, gating, dropping samples
 * and the gradients of all these are such sums, and so are chains of them; only activation functions are not.
 *
 * @param terms factor of each atom (a graph's value, or a partial sum kept in a strip)
 */
record Form(Map<Object, Vec> terms, Vec shift) {

    static Form atom(Object atom) {
        return new Form(Map.of(atom, Vec.ONE), Vec.ZERO);
    }

    static Form constant(Vec shift) {
        return new Form(Map.of(), shift);
    }

    Form times(Vec factor) {
        Map<Object, Vec> scaled = new LinkedHashMap<>();
        terms.forEach((atom, f) -> scaled.put(atom, f.times(factor)));
        return new Form(scaled, shift.times(factor));
    }

    Form plus(Form other) {
        Map<Object, Vec> sum = new LinkedHashMap<>(terms);
        other.terms.forEach((atom, f) -> sum.merge(atom, f, Vec::plus));
        return new Form(sum, shift.plus(other.shift));
    }

    Form plus(Vec summand) {
        return new Form(terms, shift.plus(summand));
    }

    List<Object> atoms() {
        return new ArrayList<>(terms.keySet());
    }

    Vec factor(Object atom) {
        return terms.get(atom);
    }

    /** Without that atom. */
    Form without(Object atom) {
        Map<Object, Vec> rest = new LinkedHashMap<>(terms);
        rest.remove(atom);
        return new Form(rest, shift);
    }
}
