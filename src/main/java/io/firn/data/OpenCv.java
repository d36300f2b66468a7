package io.firn.data;

import io.firn.error.UserError;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.opencv.global.opencv_core;
import org.bytedeco.opencv.global.opencv_imgcodecs;
import org.bytedeco.opencv.opencv_core.Mat;

/**
 * Loads OpenCV once, when the first image file is decoded: one thread a call, since the loader's workers are the
 * parallelism, and silent, since what is wrong with a file comes back as a {@link DamagedImage}.
 * (What libjpeg itself says of a scan with wrong codes, which it decodes all the same, cannot be silenced from here.)
 */
final class OpenCv {
    private OpenCv() {
    }

    /**
     * Loads the library if that has not been done.
     *
     * @throws UserError where it cannot be loaded, with the linker's reason; told again at every use
     */
    static void load() {
        if (Holder.FAILURE != null) {
            throw UserError.other("OpenCV, which decodes image files, cannot be loaded: %s", Holder.FAILURE.getMessage())
                    .causedBy(Holder.FAILURE);
        }
    }

    /**
     * An image as a file's bytes.
     *
     * @param ending which names the format, such as {@code .png}
     */
    static byte[] encode(String ending, Mat image) {
        try (BytePointer encoded = new BytePointer()) {
            if (!opencv_imgcodecs.imencode(ending, image, encoded)) {
                throw new IllegalStateException("OpenCV's imencode makes no %s of %dx%d pixels".formatted(ending, image.cols(),
                        image.rows()));
            }
            byte[] file = new byte[Math.toIntExact(encoded.limit())];
            encoded.get(file);
            return file;
        }
    }

    private static final class Holder {
        static final Throwable FAILURE = tryLoad();

        private static Throwable tryLoad() {
            try {
                String core = Loader.load(opencv_core.class);
                Loader.load(opencv_imgcodecs.class);
                opencv_core.setNumThreads(1);
                silence(core);
                return null;
            } catch (LinkageError | RuntimeException e) {
                return e;
            }
        }
    }

    /** The preset has no binding for {@code cv::utils::logging::setLogLevel}; without the symbol OpenCV stays talkative, no more. */
    private static void silence(String core) {
        Path library = Path.of(core).resolveSibling("libopencv_core.so.413");
        try {
            SymbolLookup symbols = SymbolLookup.libraryLookup(library, Arena.global());
            symbols.find("_ZN2cv5utils7logging11setLogLevelENS1_8LogLevelE").ifPresent(address -> {
                try {
                    int silent = 0;
                    int _ = (int) Linker.nativeLinker()
                            .downcallHandle(address, FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT))
                            .invokeExact(silent);
                } catch (Throwable e) {
                    throw new IllegalStateException(e);
                }
            });
        } catch (IllegalArgumentException _) {
            return;
        }
    }
}
