package io.firn.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.error.UserError;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ImageListTest {
    @TempDir
    private Path folder;

    private String list(String name, String text) throws IOException {
        return Files.writeString(folder.resolve(name), text).toString();
    }

    @Test
    void linesAreImagesBesideTheListWithTheirClasses() throws Exception {
        Samples.write(folder.resolve("a b/1,2.png"), 9, 7, 1);
        Dataset set = Datasets.open(list("x.csv", "path,label\n\"a b/1,2.png\",dog\n\ngone.png, cat\r\n")).train();
        assertThat(set.classes()).containsExactly("cat", "dog");
        assertThat(List.of(set.label(0), set.label(1))).containsExactly(1, 0);
        assertThat(set.image(0).height()).isEqualTo(9);
        assertThatThrownBy(() -> set.image(1)).isInstanceOf(DamagedImage.class).hasMessageContaining("gone.png: no such file");
        Dataset tabbed = Datasets.open(list("x.tsv", "a b/1,2.png\tdog\ngone.png\tcat\n")).train();
        assertThat(tabbed.fingerprint()).isEqualTo(set.fingerprint());
    }

    @Test
    void numbersAreSortedAsNumbersAndValidationTakesTheTrainingsClasses() throws Exception {
        Dataset set = Datasets.open(list("n.csv", "a.png,10\nb.png,9\nc.png,009\n")).train();
        assertThat(set.classes()).containsExactly("9", "10");
        assertThat(set.label(2)).isZero();
        assertThat(Datasets.validation(list("v.csv", "d.png,10\n"), set.classes()).label(0)).isEqualTo(1);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
            "'' | lists no image",
            "path,label | lists no image",
            "a.png | found 'a.png'",
            "a.png, | expected an image's path and its class",
            "a.png,x | only one class, 'x'",
            "\"a.png | is no CSV list"})
    void whatIsNoListIsAnErrorThatSaysWhere(String text, String message) throws IOException {
        String list = list("bad.csv", text);
        assertThatThrownBy(() -> Datasets.open(list)).isInstanceOf(UserError.class).hasMessageContaining("bad.csv").hasMessageContaining(message);
    }
}
