package io.firn.data;

import static org.bytedeco.opencv.global.opencv_core.CV_8UC3;
import static org.bytedeco.opencv.global.opencv_imgproc.FONT_HERSHEY_SIMPLEX;
import static org.bytedeco.opencv.global.opencv_imgproc.LINE_AA;
import static org.bytedeco.opencv.global.opencv_imgproc.putText;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.opencv.opencv_core.Mat;
import org.bytedeco.opencv.opencv_core.Point;
import org.bytedeco.opencv.opencv_core.Scalar;

/** A picture of a data set: a row of small images for each class, so that wrong labels meet the eye. */
public final class ContactSheet {
    private static final int SIDE = 96;
    private static final int GAP = 4;
    private static final int COLUMNS = 10;
    private static final int MOST_CLASSES = 60;
    private static final int TEXT = 18;
    private static final int LETTERS = 100;

    private ContactSheet() {
    }

    /**
     * A PNG file with up to ten images, evenly spaced, of each of up to sixty classes, evenly spaced. What is damaged
     * stays black. Names show in ASCII.
     */
    public static byte[] png(Dataset set) {
        OpenCv.load();
        List<List<Integer>> rows = rows(set);
        int height = rows.size() * (TEXT + SIDE + GAP) + GAP;
        int width = COLUMNS * (SIDE + GAP) + GAP;
        byte[] pixels = new byte[Math.multiplyExact(height, 3 * width)];
        Arrays.fill(pixels, (byte) 0xFF);
        for (int row = 0; row < rows.size(); row++) {
            int top = GAP + row * (TEXT + SIDE + GAP) + TEXT;
            for (int column = 0; column < rows.get(row).size(); column++) {
                byte[] image = image(set, rows.get(row).get(column));
                for (int y = 0; y < SIDE; y++) {
                    int at = (top + y) * width + GAP + column * (SIDE + GAP);
                    System.arraycopy(image, 3 * SIDE * y, pixels, 3 * at, 3 * SIDE);
                }
            }
        }
        try (BytePointer memory = new BytePointer(pixels);
                Mat sheet = new Mat(height, width, CV_8UC3, memory);
                Scalar black = new Scalar(0, 0, 0, 0)) {
            for (int row = 0; row < rows.size(); row++) {
                try (Point at = new Point(GAP, GAP + row * (TEXT + SIDE + GAP) + TEXT - 5)) {
                    putText(sheet, title(set, rows.get(row)), at, FONT_HERSHEY_SIMPLEX, 0.45, black, 1, LINE_AA, false);
                }
            }
            return OpenCv.encode(".png", sheet);
        }
    }

    private static String title(Dataset set, List<Integer> images) {
        int label = set.label(images.getFirst());
        if (label < 0) {
            return "no class";
        }
        long count = IntStream.range(0, set.size()).filter(i -> set.label(i) == label).count();
        String title = "%s (%,d)".formatted(set.classes().get(label), count).replaceAll("[^ -~]", "?");
        return title.substring(0, Math.min(LETTERS, title.length()));
    }

    /** The images of each row. */
    private static List<List<Integer>> rows(Dataset set) {
        List<List<Integer>> byClass = new ArrayList<>();
        for (int i = 0; i <= set.classes().size(); i++) {
            byClass.add(new ArrayList<>());
        }
        for (int i = 0; i < set.size(); i++) {
            byClass.get(set.label(i) + 1).add(i);
        }
        byClass.removeIf(List::isEmpty);
        return spaced(byClass, MOST_CLASSES).stream().map(images -> spaced(images, COLUMNS)).toList();
    }

    private static <T> List<T> spaced(List<T> all, int most) {
        int count = Math.min(most, all.size());
        return IntStream.range(0, count).mapToObj(i -> all.get((int) ((long) i * all.size() / count))).toList();
    }

    /** Blue, green and red, as OpenCV has it; black where the image is damaged. */
    private static byte[] image(Dataset set, int index) {
        Transform transform = new Transform(SIDE, SIDE, 3, Augment.NONE, SIDE, 0);
        try {
            Image image = set.image(index,
                    size -> Transform.reduction(Math.min(size.height(), size.width()) / (double) SIDE));
            byte[] pixels = transform.apply(image, 0, index, set.describe(index));
            byte[] turned = new byte[pixels.length];
            for (int i = 0; i < pixels.length; i += 3) {
                turned[i] = pixels[i + 2];
                turned[i + 1] = pixels[i + 1];
                turned[i + 2] = pixels[i];
            }
            return turned;
        } catch (DamagedImage e) {
            return new byte[3 * SIDE * SIDE];
        }
    }
}
