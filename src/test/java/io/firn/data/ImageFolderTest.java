package io.firn.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.error.UserError;
import java.awt.image.BufferedImage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Folders of class folders: what counts, in what order, under which labels, and what is refused. */
class ImageFolderTest {
    @TempDir
    Path folder;

    private void image(String file) {
        Samples.write(folder.resolve(file), 6, 8, file.hashCode());
    }

    @Test
    void classesAndFilesComeInTorchvisionsOrder() throws Exception {
        image("dog/b.PNG");
        image("dog/a.jpeg");
        image("dog/deeper/still/0.bmp");
        image("cat/z.jpg");
        image("Ant/x.png");
        Files.writeString(folder.resolve("cat/notes.txt"), "no image");
        Files.write(folder.resolve("cat/._z.jpg"), new byte[5]);
        image("dog/.thumbnails/b.png");
        Files.createDirectories(folder.resolve("__MACOSX/dog"));
        Dataset set = Datasets.open(folder.toString()).train();
        assertThat(set.classes()).containsExactly("Ant", "cat", "dog");
        assertThat(IntStream.range(0, set.size()).mapToObj(i -> folder.relativize(Path.of(set.describe(i))).toString()))
                .containsExactly("Ant/x.png", "cat/z.jpg", "dog/a.jpeg", "dog/b.PNG", "dog/deeper/still/0.bmp");
        assertThat(IntStream.range(0, set.size()).map(set::label)).containsExactly(0, 1, 2, 2, 2);
        assertThat(set.channels()).isEqualTo(3);
        assertThat(set.image(4)).returns(6, Image::height).returns(8, Image::width);
        String before = set.fingerprint();
        assertThat(Datasets.open(folder.toString()).train().fingerprint()).isEqualTo(before);
        image("cat/new.png");
        assertThat(Datasets.open(folder.toString()).train().fingerprint()).isNotEqualTo(before);
    }

    @Test
    void grayFilesMakeAGraySet() throws Exception {
        for (String name : List.of("a/1.png", "b/2.jpg")) {
            Path file = folder.resolve(name);
            Files.createDirectories(file.getParent());
            ImageIO.write(new BufferedImage(5, 4, BufferedImage.TYPE_BYTE_GRAY), name.substring(4), file.toFile());
        }
        assertThat(Datasets.open(folder.toString()).train().channels()).isEqualTo(1);
        image("b/3.png");
        assertThat(Datasets.open(folder.toString()).train().channels()).isEqualTo(3);
    }

    @Test
    void partsShareTheTrainingClasses() {
        image("train/a/1.png");
        image("train/b/1.png");
        image("train/c/1.png");
        image("val/c/1.png");
        Splits splits = Datasets.open(folder.toString());
        Dataset validation = splits.validation().orElseThrow();
        assertThat(splits.train().size()).isEqualTo(3);
        assertThat(validation.classes()).containsExactly("a", "b", "c");
        assertThat(validation.label(0)).isEqualTo(2);
        assertThat(Datasets.validation(folder.toString(), List.of("x", "c")).label(0)).isEqualTo(1);
        image("val/d/1.png");
        refused("val has class 'd'", "3 classes (a, b, c)");
    }

    @Test
    void aFolderWithOneClassValidates() {
        image("b/1.png");
        assertThat(Datasets.validation(folder.toString(), List.of("a", "b")).label(0)).isEqualTo(1);
        refused("only one class folder, 'b'", "at least two");
    }

    @Test
    void classesMayBeCalledTrainAndTest() {
        image("train/1.png");
        image("test/1.png");
        assertThat(Datasets.open(folder.toString()).train().classes()).containsExactly("test", "train");
    }

    @Test
    void emptyPlacesAreNamed() throws Exception {
        refused(folder + " holds no images");
        image("loose.png");
        refused("holds 1 images but no class folders", "CLASS/IMAGE.jpg");
        image("a/1.png");
        Files.createDirectory(folder.resolve("hollow"));
        refused("class folder " + folder.resolve("hollow") + " holds no image");
        assertThatThrownBy(() -> Datasets.open(folder.resolve("nowhere").toString())).isInstanceOf(UserError.class)
                .hasMessageContaining("no data set at").hasMessageContaining("nowhere").hasMessageContaining("fashion-mnist");
        assertThatThrownBy(() -> Datasets.open(folder.resolve("loose.png").toString())).hasMessageContaining("no data set that Firn reads");
        assertThatThrownBy(() -> Datasets.open("")).hasMessageContaining("no data set at ''");
    }

    @Test
    void linksAreFollowedAndLoopsRefused() throws Exception {
        image("real/a/1.png");
        image("real/b/1.png");
        Path links = Files.createDirectory(folder.resolve("links"));
        Files.createSymbolicLink(links.resolve("a"), folder.resolve("real/a"));
        Files.createSymbolicLink(links.resolve("b"), folder.resolve("real/b"));
        assertThat(Datasets.open(links.toString()).train().size()).isEqualTo(2);
        Files.createSymbolicLink(folder.resolve("real/a/up"), folder.resolve("real"));
        assertThatThrownBy(() -> Datasets.open(folder.resolve("real").toString())).hasMessageContaining("is a link to a folder above it");
    }

    @Test
    void filesToPredictComeInTheOrderGiven() {
        image("f/b.png");
        image("f/a.png");
        image("z.png");
        FileList list = FileList.of(List.of(folder.resolve("z.png"), folder.resolve("f")));
        assertThat(list.files()).containsExactly(folder.resolve("z.png"), folder.resolve("f/a.png"), folder.resolve("f/b.png"));
        assertThat(list.label(0)).isEqualTo(-1);
        assertThatThrownBy(() -> FileList.of(List.of(folder.resolve("none.png")))).hasMessageContaining("no such file").hasMessageContaining("none.png");
        assertThatThrownBy(() -> FileList.of(List.of())).isInstanceOf(UserError.class);
    }

    private void refused(String... parts) {
        assertThatThrownBy(() -> Datasets.open(folder.toString())).isInstanceOf(UserError.class).hasMessageContainingAll(parts);
    }
}
