package io.firn.backend.cuda.cudnn;

import static org.bytedeco.cuda.global.cudnn.*;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.IntSupplier;
import java.util.function.Supplier;
import org.bytedeco.cuda.cudnn.cudnnBackendDescriptor_t;
import org.bytedeco.cuda.cudnn.cudnnContext;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;

/**
 * A descriptor of cuDNN's backend API, and the one gate through which every call's status goes. Whoever makes one closes it;
 * closing twice is harmless. Attributes are set before {@link #finish}, and read after it.
 */
final class Descriptor implements AutoCloseable {
    private static final int MESSAGE_BYTES = 1024;
    private static final int NOT_SUPPORTED = CUDNN_STATUS_NOT_SUPPORTED / 1000;

    /** Taken for good at the process's end: a call that goes on while cuDNN is torn down kills the process. */
    private static final ReadWriteLock CALLING = new ReentrantReadWriteLock();

    static {
        Runtime.getRuntime().addShutdownHook(new Thread(CALLING.writeLock()::lock, "waits for cuDNN"));
    }

    private final cudnnBackendDescriptor_t handle = new cudnnBackendDescriptor_t();
    private final String name;
    private boolean closed;

    /**
     * @param type cudnnBackendDescriptorType_t
     * @param name what errors call it
     */
    Descriptor(int type, String name) {
        this.name = name;
        call(() -> cudnnBackendCreateDescriptor(type, handle), "cudnnBackendCreateDescriptor", name);
    }

    /** A call that failed. */
    static class Failed extends CudnnFailure {
        private static final long serialVersionUID = 1L;

        Failed(String message) {
            super(message);
        }
    }

    /** cuDNN's answer that it does not offer what was asked for; nothing is broken. */
    static final class NotSupported extends Failed {
        private static final long serialVersionUID = 1L;

        NotSupported(String message) {
            super(message);
        }
    }

    /**
     * Calls cuDNN, and checks the status that it returns. None begins once the process ends.
     *
     * @param name the function's
     * @param what it is called for
     */
    static void call(IntSupplier function, String name, String what) {
        CALLING.readLock().lock();
        try {
            check(function.getAsInt(), name, what);
        } finally {
            CALLING.readLock().unlock();
        }
    }

    private static void check(int status, String call, String what) {
        if (status == CUDNN_STATUS_SUCCESS) {
            return;
        }
        String said = lastError();
        String message = "%s of %s: %s%s".formatted(call, what, cudnnGetErrorString(status).getString(),
                said.isEmpty() ? "" : ", " + said);
        throw status / 1000 == NOT_SUPPORTED ? new NotSupported(message) : new Failed(message);
    }

    /** What cuDNN said last on this thread, one line, and forgets with that; empty where it said nothing. */
    static String lastError() {
        byte[] text = new byte[MESSAGE_BYTES];
        CALLING.readLock().lock();
        try {
            cudnnGetLastErrorString(text, text.length);
        } finally {
            CALLING.readLock().unlock();
        }
        return new String(text, StandardCharsets.UTF_8).split("\0", 2)[0].strip().lines().findFirst().orElse("");
    }

    private Descriptor set(int attribute, int type, long count, Pointer values) {
        call(() -> cudnnBackendSetAttribute(handle, attribute, type, count, values),
                "cudnnBackendSetAttribute " + attribute, name);
        return this;
    }

    Descriptor longs(int attribute, List<Long> values) {
        try (var p = new LongPointer(values.stream().mapToLong(Long::longValue).toArray())) {
            return set(attribute, CUDNN_TYPE_INT64, values.size(), p);
        }
    }

    Descriptor longs(int attribute, long... values) {
        try (var p = new LongPointer(values)) {
            return set(attribute, CUDNN_TYPE_INT64, values.length, p);
        }
    }

    /** An enumeration's value; {@code type} says which enumeration's. */
    Descriptor choice(int attribute, int type, int value) {
        try (var p = new IntPointer(1).put(value)) {
            return set(attribute, type, 1, p);
        }
    }

    Descriptor number(int attribute, float value) {
        try (var p = new FloatPointer(1).put(value)) {
            return set(attribute, CUDNN_TYPE_FLOAT, 1, p);
        }
    }

    Descriptor flag(int attribute, boolean value) {
        try (var p = new BytePointer(1).put((byte) (value ? 1 : 0))) {
            return set(attribute, CUDNN_TYPE_BOOLEAN, 1, p);
        }
    }

    Descriptor text(int attribute, byte[] value) {
        try (var p = new BytePointer(value)) {
            return set(attribute, CUDNN_TYPE_CHAR, value.length, p);
        }
    }

    /** Addresses on the device. */
    Descriptor addresses(int attribute, List<Long> values) {
        try (var p = new LongPointer(values.stream().mapToLong(Long::longValue).toArray())) {
            return set(attribute, CUDNN_TYPE_VOID_PTR, values.size(), p);
        }
    }

    Descriptor handle(int attribute, cudnnContext value) {
        try (var p = new PointerPointer<Pointer>(1)) {
            return set(attribute, CUDNN_TYPE_HANDLE, 1, p.put(0, value));
        }
    }

    Descriptor descriptors(int attribute, List<Descriptor> values) {
        try (var p = new PointerPointer<Pointer>(values.size())) {
            for (int i = 0; i < values.size(); i++) {
                p.put(i, values.get(i).handle);
            }
            return set(attribute, CUDNN_TYPE_BACKEND_DESCRIPTOR, values.size(), p);
        }
    }

    Descriptor descriptor(int attribute, Descriptor value) {
        return descriptors(attribute, List.of(value));
    }

    /** May compile, for seconds. */
    Descriptor finish() {
        call(() -> cudnnBackendFinalize(handle), "cudnnBackendFinalize", name);
        return this;
    }

    /** Reads up to {@code most} values into {@code into}; how many there were. */
    private int get(int attribute, int type, long most, Pointer into) {
        try (var count = new LongPointer(1)) {
            call(() -> cudnnBackendGetAttribute(handle, attribute, type, most, count, into),
                    "cudnnBackendGetAttribute " + attribute, name);
            // Some attributes count what they would have, and fill no more than what was asked for.
            return (int) Math.min(most, count.get());
        }
    }

    long getLong(int attribute) {
        try (var p = new LongPointer(1)) {
            get(attribute, CUDNN_TYPE_INT64, 1, p);
            return p.get();
        }
    }

    List<Integer> getChoices(int attribute, int type, int most) {
        try (var p = new IntPointer(most)) {
            int n = get(attribute, type, most, p);
            List<Integer> values = new ArrayList<>();
            for (int i = 0; i < n; i++) {
                values.add(p.get(i));
            }
            return values;
        }
    }

    byte[] getText(int attribute) {
        try (var count = new LongPointer(1)) {
            call(() -> cudnnBackendGetAttribute(handle, attribute, CUDNN_TYPE_CHAR, 0, count, null),
                    "cudnnBackendGetAttribute " + attribute, name);
            byte[] value = new byte[Math.toIntExact(count.get())];
            try (var p = new BytePointer(value.length)) {
                get(attribute, CUDNN_TYPE_CHAR, value.length, p);
                p.get(value);
            }
            return value;
        }
    }

    /** Has cuDNN fill up to {@code most} new descriptors; those that it did not fill are closed, and must not be used. */
    List<Descriptor> getDescriptors(int attribute, int most, Supplier<Descriptor> make) {
        List<Descriptor> filled = new ArrayList<>();
        try (var p = new PointerPointer<Pointer>(most)) {
            for (int i = 0; i < most; i++) {
                filled.add(make.get());
                p.put(i, filled.get(i).handle);
            }
            int n = get(attribute, CUDNN_TYPE_BACKEND_DESCRIPTOR, most, p);
            while (filled.size() > n) {
                filled.removeLast().close();
            }
            return filled;
        } catch (RuntimeException e) {
            filled.forEach(Descriptor::close);
            throw e;
        }
    }

    /** Of an execution plan: puts it on the handle's stream, with a finished variant pack. */
    void execute(cudnnContext on, Descriptor pack) {
        call(() -> cudnnBackendExecute(on, handle, pack.handle), "cudnnBackendExecute", name);
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            call(() -> cudnnBackendDestroyDescriptor(handle), "cudnnBackendDestroyDescriptor", name);
            handle.close();
        }
    }
}
