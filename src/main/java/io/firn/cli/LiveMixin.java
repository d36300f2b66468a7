package io.firn.cli;

import io.firn.report.LiveView;
import java.io.PrintStream;
import java.util.Optional;
import picocli.CommandLine.Option;

/** Options of the live view. */
final class LiveMixin {
    @Option(names = "--ui", arity = "0..1", fallbackValue = "0", paramLabel = "PORT",
            description = "Serve the report while the run goes on, on 127.0.0.1 alone (default port: a free one).")
    private Integer port;

    @Option(names = "--ui-token", paramLabel = "TOKEN|none",
            description = "What the live view's address must carry (default: a random one); none lets everybody on this "
                    + "machine look.")
    private String token;

    /** Starts the view that was asked for and says where it is; null where none was. */
    LiveView listen(PrintStream err) {
        if (port == null) {
            return null;
        }
        String required = token == null ? LiveView.randomToken() : token;
        LiveView view = LiveView.listen(port, required.equals("none") ? Optional.empty() : Optional.of(required));
        err.println("live view: " + view.address());
        return view;
    }
}
