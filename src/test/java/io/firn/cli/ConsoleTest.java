package io.firn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;

class ConsoleTest {
    record Row(String name, long multiplyAdds, double top1, float imagesPerS) {
    }

    @Test
    void recordsBecomeJsonInSnakeCase() {
        assertThat(Console.json(List.of(new Row("a", 3, 0.5, 0.1f))).replaceAll("\\s", ""))
                .isEqualTo("[{\"name\":\"a\",\"multiply_adds\":3,\"top1\":0.5,\"images_per_s\":0.1}]");
    }

    @Test
    void columnsAlign() {
        assertThat(new Console.Table("name", ">size").row("a", 1000).row("naïve", null).row("b", 1).toString())
                .isEqualTo("name   size\na      1000\nnaïve\nb         1\n");
    }

    @Test
    void numbersForPeopleDoNotDependOnTheLocale() {
        Locale before = Locale.getDefault();
        Locale.setDefault(Locale.GERMANY);
        try {
            assertThat(Console.count(25557032)).isEqualTo("25,557,032");
            assertThat(Console.bytes(999)).isEqualTo("999 B");
            assertThat(Console.bytes(97_800_000)).isEqualTo("97.8 MB");
        } finally {
            Locale.setDefault(before);
        }
    }
}
