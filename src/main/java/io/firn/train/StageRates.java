package io.firn.train;

import io.firn.graph.Graph;
import io.firn.graph.State;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The learning rate's factor of each parameter where stages near the input learn slower: 1 for the classifier, F for the
 * last stage, F² for the one before, and so on; what comes before the first stage (ResNet's {@code conv1} and {@code bn1})
 * is a stage too. Stages are {@code layer1} … of ResNets and {@code features.0} … of EfficientNets.
 */
final class StageRates {
    private static final Pattern STAGE = Pattern.compile("(layer\\d+|features\\.\\d+)\\..*");
    private static final String STEM = "";

    private StageRates() {
    }

    /** Factors by the parameters' names. */
    static Map<String, Double> of(Graph model, double decay) {
        List<String> stages = new ArrayList<>();
        Map<String, String> stageOf = new LinkedHashMap<>();
        boolean before = true;
        for (State s : model.states(State.Kind.PARAMETER)) {
            Matcher m = STAGE.matcher(s.name());
            before &= !m.matches();
            String stage = m.matches() ? m.group(1) : before ? STEM : null;
            if (stage != null && !stages.contains(stage)) {
                stages.add(stage);
            }
            stageOf.put(s.name(), stage);
        }
        Map<String, Double> factors = new LinkedHashMap<>();
        stageOf.forEach((name, stage) -> factors.put(name,
                stage == null ? 1 : Math.pow(decay, stages.size() - stages.indexOf(stage))));
        return factors;
    }
}
