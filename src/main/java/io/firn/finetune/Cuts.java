package io.firn.finetune;

import io.firn.models.Model;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;

/** Where a network may be cut into what is frozen and what is trained: only between blocks. */
final class Cuts {
    private static final int MOST_TAPS = 12;

    private Cuts() {
    }

    /** What {@code --freeze} is given to train from that module on. */
    static String until(String module) {
        return "until:" + module;
    }

    /** The stages that the blocks belong to, in forward order, such as {@code layer1}. */
    static List<String> stages(Model model) {
        return List.copyOf(new LinkedHashSet<>(model.blocks().stream().map(Cuts::stage).toList()));
    }

    private static String stage(String block) {
        return block.substring(0, block.lastIndexOf('.'));
    }

    static String lastStage(Model model) {
        return stages(model).getLast();
    }

    /** The stage that begins nearest to the middle of the blocks, and is not the first. */
    static String half(Model model) {
        List<String> blocks = model.blocks();
        String best = lastStage(model);
        int nearest = Integer.MAX_VALUE;
        for (String stage : stages(model).subList(1, stages(model).size())) {
            int begins = (int) blocks.stream().takeWhile(b -> !stage(b).equals(stage)).count();
            int distance = Math.abs(2 * begins - blocks.size());
            if (distance < nearest) {
                nearest = distance;
                best = stage;
            }
        }
        return best;
    }

    /** Where to look at features: the ends of stages, every block where there are few and else every other, and the classifier. */
    static List<String> taps(Model model) {
        List<String> blocks = model.blocks();
        List<String> taps = new ArrayList<>();
        int every = Math.ceilDiv(blocks.size(), MOST_TAPS);
        for (int i = 0; i < blocks.size(); i++) {
            boolean endsStage = i == blocks.size() - 1 || !stage(blocks.get(i)).equals(stage(blocks.get(i + 1)));
            if (i % every == 0 || endsStage) {
                taps.add(blocks.get(i));
            }
        }
        String head = Measurement.head(model.graph()).name();
        // The classifier of a ResNet reads the last block's own output.
        boolean same = model.graph().producers().get(Measurement.head(model.graph()).input(0)).inputs()
                .contains(model.blockOutput(blocks.getLast()));
        if (same) {
            taps.removeLast();
        }
        taps.add(head);
        return taps;
    }

    /**
     * What to freeze so that all behind a tap is trained: {@code head} where nothing but the classifier is, and the whole
     * stage's name where one begins there, so that equal cuts have equal names.
     */
    static String after(Model model, String tap) {
        int index = model.blocks().indexOf(tap);
        if (index < 0 || index == model.blocks().size() - 1) {
            return "head";
        }
        String next = model.blocks().get(index + 1);
        return until(stage(next).equals(stage(tap)) ? next : stage(next));
    }
}
