package io.firn.graph;

/** One tensor of a graph, written once. {@code id} is unique within a graph and the graphs derived from it. */
public record Value(int id, String name, Type type) {

    public Shape shape() {
        return type.shape();
    }

    public DType dtype() {
        return type.dtype();
    }

    /** Values key many maps; within a graph the number alone tells them apart. */
    @Override
    public int hashCode() {
        return id;
    }

    @Override
    public String toString() {
        return "%%%d:%s %s".formatted(id, name, type);
    }
}
