package io.firn.weights;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.graph.Shape;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Names of wrappers and of timm, whose lists were taken from timm 1.0.29 ({@code model.state_dict()}). */
class NamesTest {

    private static SequencedMap<String, Tensor> tensors(String... names) {
        SequencedMap<String, Tensor> map = new LinkedHashMap<>();
        for (String name : names) {
            map.put(name, Tensor.scalar(map.size()));
        }
        return map;
    }

    @Test
    void wrappersAreTakenOff() {
        List<String> said = new ArrayList<>();
        assertThat(Names.torchvision(tensors("n_averaged", "module._orig_mod.a.weight", "module._orig_mod.b"), said))
                .containsOnlyKeys("a.weight", "b");
        assertThat(said).containsExactly("took the prefix 'module.' off every name", "took the prefix '_orig_mod.' off every name");
        said.clear();
        assertThat(Names.torchvision(tensors("module.a", "b"), said)).containsOnlyKeys("module.a", "b");
        assertThat(Names.torchvision(tensors(), said)).isEmpty();
        assertThat(Names.torchvision(tensors("module."), said)).containsOnlyKeys("module.");
        assertThat(said).isEmpty();
    }

    /** Each name and shape of timm's list, as an EfficientNet of Firn has it: nothing missing, nothing left over. */
    @ParameterizedTest
    @CsvSource({"timm_efficientnet_b0.txt, efficientnet_b0", "timm_tf_efficientnetv2_s.txt, efficientnet_v2_s"})
    void timmsEfficientNetsAreTorchvisions(String list, String name) throws IOException {
        SequencedMap<String, Tensor> given = new LinkedHashMap<>();
        for (String line : Files.readAllLines(TorchFileTest.resource(list))) {
            String[] parts = line.split("\t");
            int[] dims = Pattern.compile("\\d+").matcher(parts[1]).results().mapToInt(r -> Integer.parseInt(r.group())).toArray();
            Shape shape = Shape.of(dims);
            float[] data = new float[(int) shape.elements()];
            Arrays.fill(data, given.size());
            given.put(parts[0], new Tensor(shape, data));
        }
        List<String> said = new ArrayList<>();
        SequencedMap<String, Tensor> renamed = Names.torchvision(given, said);
        assertThat(said).singleElement().asString().startsWith("renamed timm's tensors");
        Model model = Models.build(name, ModelOptions.defaults());
        Matching found = Matching.match(model.graph(), new Weights(renamed, java.util.Map.of()));
        assertThat(found.messages()).isEmpty();
        assertThat(found.tensors()).hasSize(model.graph().states().size());
        // Both lists are in the order of the forward pass, so that a name in a wrong place shows in the order.
        assertThat(renamed.keySet().stream().filter(n -> !n.endsWith(Weights.COUNT)))
                .containsExactlyElementsOf(model.graph().states().stream().map(s -> s.name()).toList());
    }

    @Test
    void blocksOfOtherKindsKeepTheirNames() {
        assertThat(Names.torchvision(tensors("conv_stem.weight", "blocks.0.0.conv_dw.weight", "blocks.0.0.bn1.weight",
                "blocks.1.0.conv.weight", "blocks.1.0.bn2.weight", "other"), new ArrayList<>()).keySet())
                .containsExactly("features.0.0.weight", "blocks.0.0.conv_dw.weight", "blocks.0.0.bn1.weight",
                        "features.2.0.block.0.0.weight", "blocks.1.0.bn2.weight", "other");
    }
}
