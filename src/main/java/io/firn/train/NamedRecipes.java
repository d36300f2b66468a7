package io.firn.train;

import io.firn.error.UserError;
import io.firn.models.NearNames;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** Options that belong together, by name: TOML files beside this class, each with its source in the first line. */
public final class NamedRecipes {
    private static final List<String> NAMES = List.of("cifar-resnet", "imagenet-resnet", "imagenet-resnet-v2", "efficientnet");

    private NamedRecipes() {
    }

    /** What {@code --recipe} takes. */
    public static List<String> names() {
        return NAMES;
    }

    /**
     * The asked options over those of the recipe that they name, if any.
     *
     * @throws UserError (usage) where there is none of that name
     */
    public static Config under(Config asked) {
        return asked.text("recipe").map(name -> asked.over(read(name))).orElse(asked);
    }

    static Config read(String name) {
        if (!NAMES.contains(name)) {
            List<String> near = NearNames.of(name, NAMES);
            throw UserError.usage("--recipe %s: there is %s%s", name, String.join(", ", NAMES),
                    near.isEmpty() ? "" : "; did you mean " + String.join(" or ", near) + "?");
        }
        String resource = "recipes/" + name + ".toml";
        try (InputStream in = NamedRecipes.class.getResourceAsStream(resource)) {
            return Config.parse(resource, new String(in.readAllBytes(), StandardCharsets.UTF_8), TrainOptions.keys());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
