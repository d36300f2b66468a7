package io.firn.plan;

import io.firn.graph.Shape;
import io.firn.graph.Type;

/** How a tensor's elements lie in memory. All are explicit but {@link Opaque}, which only packed weights may have. */
public sealed interface Layout {

    /** Row-major over the shape's axes: vectors, matrices, and weights [O,I,K,K] as in torchvision's files. */
    Layout DENSE = new Dense();
    /** Activations [N,H,W,C]. */
    Layout NHWC = new Nhwc(1);
    /** The same with four channels where there are fewer; those that pad are zero. */
    Layout NHWC4 = new Nhwc(4);
    /** Activations [N,⌈C/16⌉,H,W,16]; the channels that pad the last block are zero. */
    Layout BLOCKED16 = new Blocked16();

    /** Bytes that a tensor of this type takes, padding included. */
    long bytes(Type type);

    /** Place, in elements, of an activation's element. */
    long offset(Shape shape, int n, int c, int h, int w);

    /** Short name for tables. */
    String label();

    record Dense() implements Layout {
        @Override
        public long bytes(Type type) {
            return type.bytes();
        }

        @Override
        public long offset(Shape s, int n, int c, int h, int w) {
            return (((long) n * s.c() + c) * s.h() + h) * s.w() + w;
        }

        @Override
        public String label() {
            return "dense";
        }
    }

    /** @param least channels that there are at least, padding included */
    record Nhwc(int least) implements Layout {
        /** Elements from one pixel to the next. */
        public int row(Shape s) {
            return Math.max(s.c(), least);
        }

        @Override
        public long bytes(Type type) {
            Shape s = type.shape();
            return (long) s.n() * s.area() * row(s) * type.dtype().bytes();
        }

        @Override
        public long offset(Shape s, int n, int c, int h, int w) {
            return (((long) n * s.h() + h) * s.w() + w) * row(s) + c;
        }

        @Override
        public String label() {
            return least == 1 ? "nhwc" : "nhwc" + least;
        }
    }

    record Blocked16() implements Layout {
        /** Channels of a block. */
        public static final int BLOCK = 16;

        public static int blocks(Shape s) {
            return Math.ceilDiv(s.c(), BLOCK);
        }

        @Override
        public long bytes(Type type) {
            Shape s = type.shape();
            return (long) s.n() * blocks(s) * s.area() * BLOCK * type.dtype().bytes();
        }

        @Override
        public long offset(Shape s, int n, int c, int h, int w) {
            return ((((long) n * blocks(s) + c / BLOCK) * s.h() + h) * s.w() + w) * BLOCK + c % BLOCK;
        }

        @Override
        public String label() {
            return "blocked16";
        }
    }

    /** A layout that only the backend's library knows, of the given size; {@code tag} tells two of them apart. */
    record Opaque(String tag, long size) implements Layout {
        @Override
        public long bytes(Type type) {
            return size;
        }

        @Override
        public long offset(Shape s, int n, int c, int h, int w) {
            throw new UnsupportedOperationException("the elements of an opaque layout have no known place");
        }

        @Override
        public String label() {
            return "packed " + tag;
        }
    }
}
