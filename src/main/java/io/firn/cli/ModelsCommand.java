package io.firn.cli;

import io.firn.error.UserError;
import io.firn.models.ModelInfo;
import io.firn.models.Models;
import io.firn.models.NearNames;
import java.nio.file.FileSystems;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.function.Predicate;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code firn models}. */
@Command(name = "models", header = "Lists the models: name, parameters, multiply-adds, resolution.",
        footer = {"", "Example: firn models 'efficientnet_*'"})
final class ModelsCommand implements Runnable {
    @Parameters(arity = "0..1", paramLabel = "FILTER",
            description = "Part of a name, or a pattern such as 'resnet*' or 'resnet?0'.")
    private String filter;

    @Mixin
    private OutputMixin output;

    @Override
    public void run() {
        Predicate<String> wanted = filter == null ? _ -> true : matcher(filter.toLowerCase(Locale.ROOT));
        List<ModelInfo> models = Models.info().stream().filter(m -> wanted.test(m.name())).toList();
        if (models.isEmpty()) {
            List<String> near = NearNames.of(filter, Models.names());
            throw UserError.usage("no model's name matches '%s'%s (`firn models` lists all)", filter,
                    near.isEmpty() ? "" : "; did you mean " + String.join(" or ", near) + "?");
        }
        output.print(models, () -> table(models));
    }

    private static Predicate<String> matcher(String filter) {
        if (filter.chars().noneMatch(c -> "*?".indexOf(c) >= 0)) {
            return name -> name.contains(filter);
        }
        var glob = FileSystems.getDefault().getPathMatcher("glob:" + filter.replaceAll("[\\\\\\[\\]{}]", "\\\\$0"));
        return name -> glob.matches(Path.of(name));
    }

    private static String table(List<ModelInfo> models) {
        var table = new Console.Table("name", ">parameters", ">multiply-adds", ">resolution");
        models.forEach(m -> table.row(m.name(), Console.count(m.parameters()), Console.count(m.multiplyAdds()),
                m.resolution()));
        return table.toString();
    }
}
