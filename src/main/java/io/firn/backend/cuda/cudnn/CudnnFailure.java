package io.firn.backend.cuda.cudnn;

/** A call of cuDNN's that failed: the call, what it was about, and cuDNN's own words. */
public class CudnnFailure extends RuntimeException {
    private static final long serialVersionUID = 1L;

    CudnnFailure(String message) {
        super(message);
    }
}
