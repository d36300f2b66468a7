package io.firn.graph;

/** The part of a step that a node belongs to. */
public enum Phase {
    INPUT, FORWARD, BACKWARD, COLLECTIVE, OPTIMIZER;

    public String label() {
        return name().toLowerCase();
    }
}
