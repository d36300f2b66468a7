package io.firn.plan;

import java.util.List;

/**
 * One way to compute a subgraph in a launch.
 *
 * @param kernel    library call or own kernel, as the plan prints it
 * @param inputs    layout that each input must have; only packed weights may be opaque
 * @param outputs   layout of each output
 * @param workspace bytes of scratch memory that nothing else uses meanwhile
 * @param inPlace   for each output, the number of the input whose buffer it may take over, or -1
 */
public record Candidate(Kernel kernel, List<Layout> inputs, List<Layout> outputs, long workspace, List<Integer> inPlace) {

    public Candidate {
        inputs = List.copyOf(inputs);
        outputs = List.copyOf(outputs);
        inPlace = List.copyOf(inPlace);
    }
}
