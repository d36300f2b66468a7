import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.awt.image.DataBufferByte;
import java.io.File;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import javax.imageio.ImageIO;

/**
 * The loop that Java programs have without a library: ImageIO decodes, Graphics2D resizes (bilinear, not antialiased) and
 * cuts out the centre. One thread. Usage: java ImageIoLoader.java FOLDER SECONDS; prints a line of JSON.
 */
public class ImageIoLoader {
    public static void main(String[] args) throws Exception {
        ImageIO.setUseCache(false);
        List<File> files;
        try (var found = Files.walk(Path.of(args[0]))) {
            files = found.filter(f -> f.toString().endsWith(".jpg")).map(Path::toFile).sorted().toList();
        }
        double seconds = Double.parseDouble(args[1]);
        time(files, seconds, false);
        double[] decode = time(files, seconds, false);
        time(files, seconds, true);
        double[] resize = time(files, seconds, true);
        System.out.printf(java.util.Locale.ROOT, "{\"decode\": {\"images_per_s\": %f, \"per_cpu_second\": %f}, "
                + "\"decode+resize\": {\"images_per_s\": %f, \"per_cpu_second\": %f}}%n", decode[0], decode[1], resize[0], resize[1]);
    }

    private static double[] time(List<File> files, double seconds, boolean resize) throws Exception {
        var threads = ManagementFactory.getThreadMXBean();
        long start = System.nanoTime();
        long cpu = threads.getCurrentThreadCpuTime();
        int images = 0;
        long sum = 0;
        while (System.nanoTime() - start < 1e9 * seconds) {
            BufferedImage image = ImageIO.read(files.get(images++ % files.size()));
            sum += resize ? ((DataBufferByte) cut(image).getRaster().getDataBuffer()).getData()[0] : image.getWidth();
        }
        if (sum == 42) {
            System.err.println(sum);
        }
        return new double[] {images / ((System.nanoTime() - start) / 1e9), images / ((threads.getCurrentThreadCpuTime() - cpu) / 1e9)};
    }

    private static BufferedImage cut(BufferedImage image) {
        double scale = 256.0 / Math.min(image.getWidth(), image.getHeight());
        int width = (int) (image.getWidth() * scale);
        int height = (int) (image.getHeight() * scale);
        BufferedImage out = new BufferedImage(224, 224, BufferedImage.TYPE_3BYTE_BGR);
        Graphics2D g = out.createGraphics();
        g.setRenderingHint(RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_BILINEAR);
        g.drawImage(image, (224 - width) / 2, (224 - height) / 2, width, height, null);
        g.dispose();
        return out;
    }
}
