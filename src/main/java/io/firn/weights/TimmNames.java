package io.firn.weights;

import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The names that timm (github.com/huggingface/pytorch-image-models, {@code _efficientnet_blocks.py}) has for EfficientNets
 * of both versions, as torchvision's. Its ResNets have torchvision's names already.
 *
 * <pre>{@code
 * conv_stem, bn1          → features.0.0, features.0.1
 * blocks.S.I.PART         → features.(S+1).I.block.P.0, where PART is the block's P-th part
 * blocks.S.I.bnN          → features.(S+1).I.block.P.1, where part P is the block's N-th convolution
 * blocks.S.I.se.conv_…    → features.(S+1).I.block.P.fc1, fc2
 * conv_head, bn2          → features.(stages+1).0, features.(stages+1).1
 * classifier              → classifier.1
 * }</pre>
 *
 * A block that is a single convolution has torchvision's {@code block.0} as well.
 */
final class TimmNames {
    private static final String GATE = "se";
    /** The parts of each kind of block, in order: gated, gated without expansion, fused, fused without expansion. */
    private static final List<List<String>> BLOCKS = List.of(
            List.of("conv_pw", "conv_dw", GATE, "conv_pwl"),
            List.of("conv_dw", GATE, "conv_pw"),
            List.of("conv_exp", "conv_pwl"),
            List.of("conv"));
    private static final Pattern IN_BLOCK = Pattern.compile("blocks\\.(\\d{1,3})\\.(\\d{1,3})\\.([a-z_]+)(\\d?)\\.(.+)");

    private TimmNames() {
    }

    /** The tensors under torchvision's names where these are an EfficientNet's of timm, else as they are. */
    static SequencedMap<String, Tensor> torchvision(SequencedMap<String, Tensor> given, List<String> messages) {
        if (!given.containsKey("conv_stem.weight")) {
            return given;
        }
        messages.add("renamed timm's tensors to torchvision's; timm's nets named tf_… pad otherwise, and its B5 to B7 and "
                + "V2 have another epsilon of batch norm: fine-tune those, since as they are they give other results");
        Map<String, List<String>> kinds = kinds(given);
        int stages = 1 + given.keySet().stream().map(IN_BLOCK::matcher).filter(Matcher::matches)
                .mapToInt(m -> Integer.parseInt(m.group(1))).max().orElse(-1);
        return rename(given, name -> renamed(name, kinds, stages));
    }

    /** The parts of each block, by its name in timm; absent for a block of another kind. */
    private static Map<String, List<String>> kinds(SequencedMap<String, Tensor> given) {
        Map<String, Set<String>> found = new HashMap<>();
        for (String name : given.keySet()) {
            Matcher m = IN_BLOCK.matcher(name);
            if (m.matches() && !m.group(3).equals("bn")) {
                found.computeIfAbsent(block(m), _ -> new HashSet<>()).add(m.group(3));
            }
        }
        Map<String, List<String>> kinds = new HashMap<>();
        found.forEach((block, parts) -> BLOCKS.stream().filter(k -> Set.copyOf(k).equals(parts)).findFirst()
                .ifPresent(k -> kinds.put(block, k)));
        return kinds;
    }

    private static String block(Matcher m) {
        return m.group(1) + "." + m.group(2);
    }

    private static String renamed(String name, Map<String, List<String>> kinds, int stages) {
        Matcher m = IN_BLOCK.matcher(name);
        if (m.matches()) {
            return Optional.ofNullable(kinds.get(block(m))).flatMap(k -> inBlock(m, k))
                    .map(rest -> "features.%d.%s.block.%s".formatted(Integer.parseInt(m.group(1)) + 1, m.group(2), rest))
                    .orElse(name);
        }
        return moved(name, "conv_stem.", "features.0.0.")
                .or(() -> moved(name, "bn1.", "features.0.1."))
                .or(() -> moved(name, "conv_head.", "features." + (stages + 1) + ".0."))
                .or(() -> moved(name, "bn2.", "features." + (stages + 1) + ".1."))
                .or(() -> moved(name, "classifier.", "classifier.1."))
                .orElse(name);
    }

    /** What follows {@code block.}; empty for a part that the kind has not. */
    private static Optional<String> inBlock(Matcher m, List<String> kind) {
        String part = m.group(3);
        String rest = m.group(5);
        if (part.equals("bn")) {
            List<String> convolutions = kind.stream().filter(p -> !p.equals(GATE)).toList();
            int n = m.group(4).isEmpty() ? 0 : Integer.parseInt(m.group(4));
            return n < 1 || n > convolutions.size() ? Optional.empty()
                    : Optional.of(kind.indexOf(convolutions.get(n - 1)) + ".1." + rest);
        }
        String at = kind.indexOf(part) + ".";
        if (part.equals(GATE)) {
            return moved(rest, "conv_reduce.", at + "fc1.").or(() -> moved(rest, "conv_expand.", at + "fc2."));
        }
        return Optional.of(at + "0." + rest);
    }

    private static Optional<String> moved(String name, String from, String to) {
        return name.startsWith(from) ? Optional.of(to + name.substring(from.length())) : Optional.empty();
    }

    /** The same tensors in the same order; two that would get one name keep their own. */
    static SequencedMap<String, Tensor> rename(SequencedMap<String, Tensor> given, UnaryOperator<String> rule) {
        SequencedMap<String, Tensor> map = new LinkedHashMap<>();
        given.forEach((name, t) -> {
            String to = rule.apply(name);
            map.put(map.containsKey(to) ? name : to, t);
        });
        return map;
    }
}
