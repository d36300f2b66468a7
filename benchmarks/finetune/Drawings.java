import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;

/** Open Clip Art made small: gray, on white, fitted into 28x28, at most 500 of a class: {@code Drawings FROM TO}. */
public final class Drawings {
    static final List<String> FIRST = List.of("computer", "signs_and_symbols", "shapes", "office", "tools");
    static final List<String> THEN = List.of("animals", "food", "people", "recreation", "transportation");
    private static final int MOST = 500;
    /** Larger ones are read thinned out: a few have a hundred million pixels. */
    private static final int LARGE = 800;

    private Drawings() {
    }

    public static void main(String[] args) throws IOException {
        for (List<String> classes : List.of(FIRST, THEN)) {
            for (String name : classes) {
                Path to = Files.createDirectories(Path.of(args[1], name));
                List<Path> files;
                try (var walk = Files.walk(Path.of(args[0], name))) {
                    files = new ArrayList<>(walk.filter(f -> f.toString().endsWith(".png") && Files.isRegularFile(f)).sorted()
                            .toList());
                }
                Collections.shuffle(files, new Random(0));
                int unread = 0;
                for (Path file : files.subList(0, Math.min(MOST, files.size()))) {
                    try {
                        ImageIO.write(fitted(read(file)), "png", to.resolve(file.getFileName()).toFile());
                    } catch (IOException e) {
                        unread++;
                    }
                }
                System.err.printf("%s: %d drawings, %d unreadable%n", name, Math.min(MOST, files.size()) - unread, unread);
            }
        }
    }

    private static BufferedImage read(Path file) throws IOException {
        try (ImageInputStream in = ImageIO.createImageInputStream(file.toFile())) {
            ImageReader reader = ImageIO.getImageReadersByFormatName("png").next();
            try {
                reader.setInput(in);
                var how = reader.getDefaultReadParam();
                int every = Math.ceilDiv(Math.max(reader.getWidth(0), reader.getHeight(0)), LARGE);
                how.setSourceSubsampling(every, every, 0, 0);
                return reader.read(0, how);
            } finally {
                reader.dispose();
            }
        }
    }

    private static BufferedImage fitted(BufferedImage image) {
        int most = Math.max(image.getWidth(), image.getHeight());
        BufferedImage now = drawn(image, most, image.getWidth(), image.getHeight());
        // By halves, since one bilinear step would skip pixels.
        while (now.getWidth() >= 2 * Pictures.SIDE) {
            now = drawn(now, now.getWidth() / 2, now.getWidth() / 2, now.getWidth() / 2);
        }
        now = drawn(now, Pictures.SIDE, Pictures.SIDE, Pictures.SIDE);
        BufferedImage gray = new BufferedImage(Pictures.SIDE, Pictures.SIDE, BufferedImage.TYPE_BYTE_GRAY);
        for (int y = 0; y < Pictures.SIDE; y++) {
            for (int x = 0; x < Pictures.SIDE; x++) {
                int rgb = now.getRGB(x, y);
                gray.getRaster().setSample(x, y, 0,
                        Math.round(0.299f * (rgb >> 16 & 255) + 0.587f * (rgb >> 8 & 255) + 0.114f * (rgb & 255)));
            }
        }
        return gray;
    }

    /** In the middle of a white square. */
    private static BufferedImage drawn(BufferedImage image, int side, int width, int height) {
        BufferedImage square = new BufferedImage(side, side, BufferedImage.TYPE_INT_RGB);
        Graphics2D g = square.createGraphics();
        g.setColor(Color.WHITE);
        g.fillRect(0, 0, side, side);
        g.setRenderingHint(RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_BILINEAR);
        g.drawImage(image, (side - width) / 2, (side - height) / 2, width, height, null);
        g.dispose();
        return square;
    }
}
