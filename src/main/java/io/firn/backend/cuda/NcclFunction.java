package io.firn.backend.cuda;

/** The functions of NCCL that Firn calls; all are in version 2.27. */
enum NcclFunction implements NativeFunctions.Function {
    GET_UNIQUE_ID("ncclGetUniqueId", "p"), INIT_RANK("ncclCommInitRankConfig", "piuip"),
    ASYNC_ERROR("ncclCommGetAsyncError", "pp"), GROUP_START("ncclGroupStart", ""), GROUP_END("ncclGroupEnd", ""),
    ALL_REDUCE("ncclAllReduce", "ppliipp"), FINALIZE("ncclCommFinalize", "p"), DESTROY("ncclCommDestroy", "p"),
    ABORT("ncclCommAbort", "p"), ERROR_STRING("ncclGetErrorString", "i"), LAST_ERROR("ncclGetLastError", "p");

    private final String symbol;
    private final String parameters;

    NcclFunction(String symbol, String parameters) {
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

    @Override
    public char result() {
        return this == ERROR_STRING || this == LAST_ERROR ? 'p' : 'i';
    }
}
