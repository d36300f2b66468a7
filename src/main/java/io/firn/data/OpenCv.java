package io.firn.data;

import io.firn.error.UserError;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.opencv.global.opencv_core;
import org.bytedeco.opencv.global.opencv_imgcodecs;

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
