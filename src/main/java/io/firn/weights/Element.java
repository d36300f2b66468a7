package io.firn.weights;

import io.firn.graph.DType;
import java.nio.ByteBuffer;

/** Element types of weight files that are read, each with how one little-endian element becomes an f32. */
enum Element {
    F32(4) {
        @Override
        float read(ByteBuffer in) {
            return in.getFloat();
        }
    },
    F16(2) {
        @Override
        float read(ByteBuffer in) {
            return Float.float16ToFloat(in.getShort());
        }
    },
    BF16(2) {
        @Override
        float read(ByteBuffer in) {
            return DType.bf16ToFloat(in.getShort());
        }
    },
    F64(8) {
        @Override
        float read(ByteBuffer in) {
            return (float) in.getDouble();
        }
    },
    /** Of counters, such as a batch norm's number of batches. */
    I64(8) {
        @Override
        float read(ByteBuffer in) {
            return in.getLong();
        }
    };

    private final int bytes;

    Element(int bytes) {
        this.bytes = bytes;
    }

    int bytes() {
        return bytes;
    }

    /** Takes the next element. */
    abstract float read(ByteBuffer in);
}
