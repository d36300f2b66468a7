package io.firn.plan;

import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;

/**
 * One way to compute a subgraph in a launch.
 *
 * @param kernel    library call or own kernel, as the plan prints it
 * @param inputs    layout that each input must have; only packed weights may be opaque
 * @param outputs   layout of each output
 * @param workspace bytes of scratch memory that nothing else uses meanwhile
 * @param inPlace   for each output, the numbers of the inputs whose buffer it may take over, best first
 */
public record Candidate(Kernel kernel, List<Layout> inputs, List<Layout> outputs, long workspace, List<List<Integer>> inPlace) {

    public Candidate {
        inputs = List.copyOf(inputs);
        outputs = List.copyOf(outputs);
        inPlace = List.copyOf(inPlace);
    }

    /** Each result may lie where the operand of the same number did. */
    public static Candidate inPlace(Kernel kernel, List<Layout> layouts) {
        return new Candidate(kernel, layouts, layouts, 0, IntStream.range(0, layouts.size()).mapToObj(List::of).toList());
    }

    /** Without results in place. */
    public static Candidate of(Kernel kernel, List<Layout> inputs, List<Layout> outputs, long workspace) {
        return new Candidate(kernel, inputs, outputs, workspace, Collections.nCopies(outputs.size(), List.of()));
    }
}
