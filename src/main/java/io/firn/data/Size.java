package io.firn.data;

/** The height and width of an image, in pixels. */
public record Size(int height, int width) {
    /** Pixels in all. */
    public long area() {
        return (long) height * width;
    }

    @Override
    public String toString() {
        return width + "x" + height;
    }
}
