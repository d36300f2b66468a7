package io.firn.graph;

/** One tensor of a graph, written once. {@code id} is unique within a graph and the graphs derived from it. */
public record Value(int id, String name, Type type) {

    public Shape shape() {
        return type.shape();
    }

    public DType dtype() {
        return type.dtype();
    }

    /** Values key many maps, and within a graph the number alone tells most apart: it is compared first. */
    @Override
    public boolean equals(Object o) {
        return this == o || o instanceof Value v && id == v.id && name.equals(v.name) && type.equals(v.type);
    }

    @Override
    public int hashCode() {
        return id;
    }

    @Override
    public String toString() {
        return "%%%d:%s %s".formatted(id, name, type);
    }
}
