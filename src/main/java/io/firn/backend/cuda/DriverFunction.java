package io.firn.backend.cuda;

/**
 * The functions of the CUDA driver that Firn runs on, under the names that the library exports (the header renames them to
 * their newest versions); all are those of CUDA 13.0.
 */
enum DriverFunction implements NativeFunctions.Function {
    GET_ERROR_NAME("cuGetErrorName", "ip"), GET_ERROR_STRING("cuGetErrorString", "ip"),
    DEVICE_GET("cuDeviceGet", "pi"), CONTEXT_RETAIN("cuDevicePrimaryCtxRetain", "pi"),
    CONTEXT_RELEASE("cuDevicePrimaryCtxRelease_v2", "i"), CONTEXT_SET("cuCtxSetCurrent", "p"),
    MEMORY_INFO("cuMemGetInfo_v2", "pp"), ALLOCATE("cuMemAlloc_v2", "pl"), FREE("cuMemFree_v2", "l"),
    PIN("cuMemHostAlloc", "pli"), UNPIN("cuMemFreeHost", "p"),
    STREAM_CREATE("cuStreamCreate", "pi"), STREAM_DESTROY("cuStreamDestroy_v2", "p"),
    STREAM_SYNCHRONIZE("cuStreamSynchronize", "p"), STREAM_QUERY("cuStreamQuery", "p"), STREAM_WAIT("cuStreamWaitEvent", "ppi"),
    EVENT_CREATE("cuEventCreate", "pi"), EVENT_DESTROY("cuEventDestroy_v2", "p"), EVENT_RECORD("cuEventRecord", "pp"),
    EVENT_SYNCHRONIZE("cuEventSynchronize", "p"), EVENT_QUERY("cuEventQuery", "p"), EVENT_ELAPSED("cuEventElapsedTime_v2", "ppp"),
    FILL("cuMemsetD8Async", "lblp"), UPLOAD("cuMemcpyHtoDAsync_v2", "lplp"), DOWNLOAD("cuMemcpyDtoHAsync_v2", "pllp"),
    COPY("cuMemcpyDtoDAsync_v2", "lllp"),
    MODULE_LOAD("cuModuleLoadData", "pp"), MODULE_UNLOAD("cuModuleUnload", "p"),
    MODULE_FUNCTION("cuModuleGetFunction", "ppp"), LAUNCH("cuLaunchKernel", "piiiiiiippp"),
    CAPTURE_BEGIN("cuStreamBeginCapture_v2", "pi"), CAPTURE_END("cuStreamEndCapture", "pp"),
    GRAPH_INSTANTIATE("cuGraphInstantiateWithFlags", "ppl"), GRAPH_DESTROY("cuGraphDestroy", "p"),
    GRAPH_LAUNCH("cuGraphLaunch", "pp"), GRAPH_RELEASE("cuGraphExecDestroy", "p");

    private final String symbol;
    private final String parameters;

    DriverFunction(String symbol, String parameters) {
        this.symbol = symbol;
        this.parameters = parameters;
    }

    @Override
    public String symbol() {
        return symbol;
    }

    @Override
    public String parameters() {
        return parameters;
    }
}
