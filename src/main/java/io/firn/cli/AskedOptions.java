package io.firn.cli;

import io.firn.train.Config;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/** The options that stand on a command line, by their long names: the topmost layer of a configuration. */
final class AskedOptions {
    private AskedOptions() {
    }

    /** What was given, without defaults. Only these keys. */
    static Config of(CommandSpec command, Set<String> keys) {
        Map<String, Object> values = new LinkedHashMap<>();
        for (OptionSpec option : command.commandLine().getParseResult().matchedOptions()) {
            String name = option.longestName().replaceFirst("^--", "");
            if (keys.contains(name)) {
                values.put(name, option.getValue());
            }
        }
        return Config.of(values);
    }
}
