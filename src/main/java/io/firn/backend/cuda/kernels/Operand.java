package io.firn.backend.cuda.kernels;

/** What a pointer of an {@link ArgumentBlock} points to; whoever starts a kernel knows the addresses. */
public sealed interface Operand {

    /** The buffer of the launch's input of that number. */
    record Input(int number) implements Operand {
    }

    /** The buffer of the launch's output of that number. */
    record Output(int number) implements Operand {
    }

    /** A place in the launch's workspace, in bytes from its start. */
    record Workspace(long offset) implements Operand {
    }

    /** The call's {@link KernelCall#table()}, which lies in device memory from when the plan is loaded. */
    record Table() implements Operand {
    }
}
