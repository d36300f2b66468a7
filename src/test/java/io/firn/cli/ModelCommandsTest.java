package io.firn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code firn models} and {@code firn summary}. */
class ModelCommandsTest {
    @Test
    void modelsAreATableOrJson() {
        var table = CommandLineRun.of("models", "resnet18");
        assertThat(table.code()).isZero();
        assertThat(table.out()).isEqualTo("""
                name      parameters  multiply-adds  resolution
                resnet18  11,689,512  1,814,073,344         224
                """);
        var json = CommandLineRun.of("models", "--json", "resnet18").json();
        assertThat(json.toString()).isEqualTo("[{\"name\":\"resnet18\",\"parameters\":11689512,"
                + "\"multiply_adds\":1814073344,\"resolution\":224}]");
        assertThat(CommandLineRun.of("models", "--json").json().size()).isGreaterThanOrEqualTo(30);
    }

    @ParameterizedTest
    @CsvSource({"50, 3", "RESNET50, 2", "resnet5?, 2", "efficientnet_b*, 8", "*v2_[sml], 0", "*v2_?, 3"})
    void aFilterIsPartOfANameOrAPattern(String filter, int matches) {
        var run = CommandLineRun.of("models", filter, "--json");
        assertThat(run.code()).isEqualTo(matches == 0 ? 2 : 0);
        if (matches > 0) {
            assertThat(run.json()).hasSize(matches);
        }
    }

    @Test
    void aSummaryListsLayersAndTotals() {
        var run = CommandLineRun.of("summary", "resnet20", "--batch", "2", "--channels", "1", "--classes", "7");
        assertThat(run.code()).isZero();
        assertThat(run.out()).startsWith("resnet20: 7 classes, 1x32x32 in batches of 2")
                .containsPattern("conv1 +conv +2x16x32x32 +144 +147,456\n")
                .containsPattern("total +269,239 +40,255,936\n");
        var json = CommandLineRun.of("summary", "resnet20", "--resolution", "28", "--json").json();
        assertThat(CommandLineRun.fields(json)).containsExactly("model", "batch", "channels", "resolution", "classes",
                "layers", "parameters", "multiply_adds");
        assertThat(CommandLineRun.fields(json.get("layers").get(0))).containsExactly("name", "op", "output", "parameters",
                "multiply_adds");
        assertThat(json.get("layers").get(0).get("output").toString()).isEqualTo("[1,16,28,28]");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
            "summary resnt18 | there is no model 'resnt18'; did you mean resnet18",
            "models resnt50 | no model's name matches 'resnt50'; did you mean resnet50",
            "summary resnet18 --batch 0 | --batch 0",
            "summary resnet18 --resolution 0 | --resolution 0 is too small",
            "summary resnet18 --resolution 20000 | --resolution 20000 is too large",
            "summary resnet18 --classes 0 | --classes 0 is too small",
            "summary resnet18 --channels 2 | --channels 2",
            "summary resnet18 --phi 1 --width 2 | --phi sets width and depth itself",
            "summary resnet18 --width NaN | --width NaN",
            "summary resnet18 --depth x | 'x' is no number",
            "summary resnet18 --widht 2 | unknown option '--widht'; did you mean --width",
            "summary | missing required parameter: 'MODEL'; see 'firn summary --help'",
            "sumary resnet18 | unknown command 'sumary'; did you mean summary"})
    void wrongInputIsAUsageError(String line, String message) {
        var run = CommandLineRun.of(line.split(" "));
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).startsWith("firn: ").contains(message).hasLineCount(1);
        assertThat(run.out()).isEmpty();
    }
}
