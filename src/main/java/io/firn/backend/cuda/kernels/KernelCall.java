package io.firn.backend.cuda.kernels;

/**
 * One kernel start, complete but for addresses. A launch of a plan is one or more of them, in order.
 *
 * @param arguments the kernel's only argument, by value
 * @param table     what else it reads, to be put into device memory once; often empty
 */
public record KernelCall(KernelSource source, Grid grid, ArgumentBlock arguments, ArgumentBlock table) {
    private static final int MOST_ARGUMENT_BYTES = 4096;

    public KernelCall {
        if (arguments.size() > MOST_ARGUMENT_BYTES) {
            throw new IllegalArgumentException("%s has %d bytes of arguments".formatted(source.entry(), arguments.size()));
        }
    }

    /**
     * Shape of a start.
     *
     * @param x       blocks of the grid, as {@code y} and {@code z}
     * @param columns threads of a block: {@code blockDim.x}
     * @param rows    {@code blockDim.y}
     * @param shared  bytes of dynamic shared memory
     */
    public record Grid(int x, int y, int z, int columns, int rows, int shared) {
        private static final int MOST_THREADS = 1024;
        /** What a block has without asking for more. */
        private static final int MOST_SHARED = 48 * 1024;
        private static final int MOST_BLOCKS = 65_535;

        public Grid {
            if (x < 1 || y < 1 || z < 1 || columns < 1 || rows < 1 || columns * rows > MOST_THREADS || y > MOST_BLOCKS
                    || z > MOST_BLOCKS || shared < 0 || shared > MOST_SHARED) {
                throw new IllegalArgumentException("grid %d x %d x %d of %d x %d threads with %d bytes".formatted(x, y, z,
                        columns, rows, shared));
            }
        }

        static Grid of(int x, int threads) {
            return new Grid(x, 1, 1, threads, 1, 0);
        }
    }
}
