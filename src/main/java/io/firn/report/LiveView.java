package io.firn.report;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.firn.error.UserError;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * A run's report while it runs, to be looked at with a browser on the same machine: the page that {@code report.html} will
 * be, made anew from the run's folder as it grows. It listens on the loopback interface alone; who asks must know the token.
 */
public final class LiveView implements AutoCloseable {
    /** A page costs the training at most this share of one core. */
    private static final double SHARE = 0.05;
    private static final long SHORTEST_NS = 2_000_000_000L;
    private static final int TOKEN_BYTES = 16;

    private final HttpServer server;
    private final ExecutorService threads;
    private final Optional<String> token;
    private Path folder;
    private byte[] page;
    private long madeAt;
    private long tookNs;

    private LiveView(HttpServer server, Optional<String> token) {
        this.server = server;
        this.token = token;
        // One thread: whoever asks while a page is made gets the same page.
        threads = Executors.newSingleThreadExecutor(Thread.ofPlatform().daemon().name("live-view").factory());
        server.setExecutor(threads);
        server.createContext("/", this::answer);
        server.start();
    }

    /**
     * Starts to listen; until a folder is shown, the page says that the run is being prepared.
     *
     * @param port  0 takes a free one
     * @param token what an address must carry as {@code ?token=}; empty lets everybody on the machine in
     * @throws UserError (usage) where the port cannot be had, or a token would not fit into an address
     */
    public static LiveView listen(int port, Optional<String> token) {
        if (port < 0 || port > 65_535) {
            throw UserError.usage("--ui %d: a port lies between 1 and 65535; --ui alone takes a free one", port);
        }
        if (token.isPresent() && !token.get().matches("[A-Za-z0-9_-]+")) {
            throw UserError.usage("--ui-token: letters, digits, - and _ make a token");
        }
        try {
            return new LiveView(HttpServer.create(new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), port), 0), token);
        } catch (IOException e) {
            throw UserError.usage("--ui %d: cannot listen there (%s): give another port, or --ui alone for a free one", port,
                    e.getMessage());
        }
    }

    /** A token that nobody guesses. */
    public static String randomToken() {
        byte[] bytes = new byte[TOKEN_BYTES];
        new SecureRandom().nextBytes(bytes);
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }

    /** What to open in a browser. */
    public URI address() {
        return URI.create("http://127.0.0.1:%d/%s".formatted(server.getAddress().getPort(), token.map(t -> "?token=" + t)
                .orElse("")));
    }

    /** Shows a run's folder from now on. */
    public synchronized void show(Path run) {
        folder = run;
        page = null;
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            String method = exchange.getRequestMethod();
            if (!isOwn(exchange.getRequestHeaders().getFirst("Host"))) {
                send(exchange, 403, "text/plain", bytes("This page is for 127.0.0.1 alone.\n"));
            } else if (!isAllowed(exchange.getRequestURI().getQuery())) {
                send(exchange, 403, "text/plain", bytes("The address lacks the token: open the one that firn printed.\n"));
            } else if (!exchange.getRequestURI().getPath().equals("/")) {
                send(exchange, 404, "text/plain", bytes("There is one page: /\n"));
            } else if (!method.equals("GET") && !method.equals("HEAD")) {
                send(exchange, 405, "text/plain", bytes("This page can only be read.\n"));
            } else {
                send(exchange, 200, "text/html", page());
            }
        }
    }

    /** A name that leads here by somebody else's name server is refused: its pages could read the answer. */
    private static boolean isOwn(String host) {
        return host != null && host.matches("(127\\.0\\.0\\.1|localhost)(:\\d+)?");
    }

    private boolean isAllowed(String query) {
        return token.isEmpty() || query != null
                && MessageDigest.isEqual(bytes("token=" + token.get()), bytes(query));
    }

    private synchronized byte[] page() {
        if (folder == null) {
            return bytes(Page.preparing());
        }
        long now = System.nanoTime();
        if (page == null || now - madeAt > Math.max(SHORTEST_NS, tookNs / SHARE)) {
            page = bytes(make());
            madeAt = System.nanoTime();
            tookNs = madeAt - now;
        }
        return page;
    }

    private String make() {
        try {
            return Report.of(List.of(folder)).liveHtml();
        } catch (UserError e) {
            // The folder is there, and its first file not yet.
            return Page.preparing();
        }
    }

    private static void send(HttpExchange exchange, int status, String type, byte[] body) throws IOException {
        exchange.getResponseHeaders().set("Content-Type", type + "; charset=utf-8");
        exchange.getResponseHeaders().set("Cache-Control", "no-store");
        exchange.getResponseHeaders().set("Referrer-Policy", "no-referrer");
        exchange.getResponseHeaders().set("X-Content-Type-Options", "nosniff");
        boolean isHead = exchange.getRequestMethod().equals("HEAD");
        exchange.sendResponseHeaders(status, isHead ? -1 : body.length);
        if (!isHead) {
            exchange.getResponseBody().write(body);
        }
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
