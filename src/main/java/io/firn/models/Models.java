package io.firn.models;

import io.firn.error.UserError;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.stream.Stream;

/** The registry: every model by its name, torchvision's where torchvision has it. */
public final class Models {
    private static final SequencedMap<String, Architecture> BY_NAME = register();

    private Models() {
    }

    private static SequencedMap<String, Architecture> register() {
        SequencedMap<String, Architecture> map = new LinkedHashMap<>();
        Stream.concat(ResNet.TABLE.stream(), EfficientNet.TABLE.stream()).forEach(a -> map.put(a.name(), a));
        return Collections.unmodifiableSequencedMap(map);
    }

    /** All names, family by family and smaller nets first. */
    public static List<String> names() {
        return List.copyOf(BY_NAME.keySet());
    }

    /**
     * The network of that name.
     *
     * @throws UserError (usage) where there is none, with near names, and for options that make no sense
     */
    public static Model build(String name, ModelOptions options) {
        Architecture a = BY_NAME.get(name);
        if (a == null) {
            List<String> near = NearNames.of(name, BY_NAME.keySet());
            throw UserError.usage("there is no model '%s'%s (`firn models` lists all)", name,
                    near.isEmpty() ? "" : "; did you mean " + String.join(" or ", near) + "?");
        }
        return a.build(a.resolve(options));
    }

    /** Size and cost of every model as it is by itself, counted on its graph. */
    public static List<ModelInfo> info() {
        return names().parallelStream().map(name -> {
            Model m = build(name, ModelOptions.defaults());
            return new ModelInfo(name, m.graph().parameterCount(), m.multiplyAdds(), m.options().resolution());
        }).toList();
    }
}
