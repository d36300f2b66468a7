package io.firn.backend.cuda;

import io.firn.backend.cuda.Device.Code;
import io.firn.backend.cuda.Device.Memory;
import io.firn.backend.cuda.Device.Product;
import io.firn.backend.cuda.Device.Reduced;
import io.firn.backend.cuda.Device.Stream;
import io.firn.backend.cuda.cudnn.Engines;
import io.firn.backend.cuda.kernels.ArgumentBlock;
import io.firn.backend.cuda.kernels.KernelCall;
import io.firn.backend.cuda.kernels.KernelCalls;
import io.firn.backend.cuda.kernels.Operand;
import io.firn.backend.cuda.kernels.OwnKernels;
import io.firn.error.UserError;
import io.firn.graph.Collective;
import io.firn.plan.Buffer;
import io.firn.plan.Launch;
import io.firn.plan.Plan;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.ToLongFunction;

/** Makes a program's launches ready to be put on a stream: argument blocks are filled, plans of cuDNN's restored. */
final class LaunchBinder {
    private final Device device;
    private final Owned owned;
    private final Engines engines;
    private final Map<String, byte[]> cubins;
    private final ToLongFunction<Buffer.Arena> bases;
    private final Arena host;
    private final Stream setup;
    private final Optional<RankExchange> ranks;
    private final Map<String, Code> codes = new HashMap<>();

    /**
     * @param owned  takes what is got from the device
     * @param cubins of all own kernels of the program, by entry
     * @param bases  address of the first byte of each arena
     * @param host   in which argument blocks live
     * @param setup  a stream for tables in device memory
     * @param ranks  what collectives go through; empty where there are none
     */
    LaunchBinder(Device device, Owned owned, Engines engines, Map<String, byte[]> cubins, ToLongFunction<Buffer.Arena> bases,
                 Arena host, Stream setup, Optional<RankExchange> ranks) {
        this.device = device;
        this.owned = owned;
        this.engines = engines;
        this.cubins = cubins;
        this.bases = bases;
        this.host = host;
        this.setup = setup;
        this.ranks = ranks;
    }

    /** A launch that is ready. */
    interface Bound {
        void put(Stream on);
    }

    /** Every launch of a program. */
    static List<Launch> launches(Program p) {
        List<Launch> all = new ArrayList<>();
        p.plans().forEach(plan -> {
            all.addAll(plan.prepare());
            all.addAll(plan.launches());
        });
        return all;
    }

    static boolean isCudnn(Launch l) {
        return l.kernel().library().equals(CudaKernels.CUDNN);
    }

    static boolean isCollective(Launch l) {
        return l.kernel().library().equals(CudaKernels.NCCL);
    }

    /** The own kernels that a launch starts: all that it is, or the copies around a graph of cuDNN's. */
    static List<KernelCall> calls(Launch l) {
        if (isCollective(l)) {
            return List.of();
        }
        if (!isCudnn(l)) {
            return OwnKernels.of(l).calls();
        }
        // Only 16-bit types are copied, which rounding to tf32 does not concern.
        CudnnCalls calls = CudnnCalls.of(l, false);
        List<KernelCall> all = new ArrayList<>(calls.before());
        all.addAll(calls.after());
        return all;
    }

    /** Bytes of device memory that the launches' tables take. */
    static long tableBytes(Program p) {
        return launches(p).stream().flatMap(l -> calls(l).stream()).mapToLong(c -> Buffer.align(c.table().size())).sum();
    }

    /** What runs a launch that is cuDNN's. */
    static CudnnCalls cudnn(Plan plan, Launch l) {
        return CudnnCalls.of(l, plan.precision() == Precision.TF32);
    }

    Bound bind(Plan plan, Launch l) {
        return isCudnn(l) ? product(plan, l) : isCollective(l) ? exchange(l) : own(l);
    }

    private Bound exchange(Launch l) {
        RankExchange through = ranks.orElseThrow();
        List<Reduced> parts = new ArrayList<>();
        for (int i = 0; i < l.outputs().size(); i++) {
            Buffer to = l.outputs().get(i);
            parts.add(new Reduced(address(l.inputs().get(i)), address(to), to.type().shape().elements()));
        }
        return switch ((Collective) l.subgraph().anchor().op()) {
            case Collective.AllReduce op -> on -> through.allReduce(parts, op, on);
        };
    }

    private Bound product(Plan plan, Launch l) {
        CudnnCalls calls = cudnn(plan, l);
        byte[] finished = engines.plan(calls.graph()).orElseThrow(() -> UserError.other("cuDNN has no engine: %s",
                engines.refusal(calls.graph())));
        List<Long> addresses = new ArrayList<>(calls.inputs().stream().map(o -> address(l, 0, o)).toList());
        calls.outputs().forEach(o -> addresses.add(address(l, 0, o)));
        Product product = owned.add(device.product(calls.graph(), finished, addresses, calls.engineWorkspace(scratch(l))));
        List<Bound> bound = new ArrayList<>(calls.before().stream().map(c -> start(l, c)).toList());
        bound.add(on -> device.execute(product, on));
        calls.after().forEach(c -> bound.add(start(l, c)));
        return on -> bound.forEach(b -> b.put(on));
    }

    private Bound own(Launch l) {
        KernelCalls calls = OwnKernels.of(l);
        if (calls.workspace() > l.workspace()) {
            throw new IllegalStateException("%d bytes of workspace, the plan has %d".formatted(calls.workspace(),
                    l.workspace()));
        }
        List<Bound> bound = calls.calls().stream().map(c -> start(l, c)).toList();
        return on -> bound.forEach(b -> b.put(on));
    }

    private Bound start(Launch l, KernelCall c) {
        long table = table(l, c);
        MemorySegment arguments = block(c.arguments(), o -> address(l, table, o));
        Code code = codes.computeIfAbsent(c.source().entry(), e -> owned.add(device.code(e, cubins.get(e))));
        return on -> device.launch(code, c.grid(), arguments, on);
    }

    /** Address of the call's table in device memory; 0 where it has none. */
    private long table(Launch l, KernelCall c) {
        if (c.table().size() == 0) {
            return 0;
        }
        Memory table = owned.add(device.allocate(c.table().size()));
        device.upload(table.address(), block(c.table(), o -> address(l, 0, o)), setup);
        return table.address();
    }

    private MemorySegment block(ArgumentBlock block, ToLongFunction<Operand> address) {
        MemorySegment bytes = host.allocate(Math.max(1, block.size()), Long.BYTES);
        block.write(bytes, address);
        return bytes;
    }

    private long address(Launch l, long table, Operand o) {
        return switch (o) {
            case Operand.Input(int i) -> address(l.inputs().get(i));
            case Operand.Output(int i) -> address(l.outputs().get(i));
            case Operand.Workspace(long offset) -> scratch(l) + offset;
            case Operand.Table() -> table;
        };
    }

    private long address(Buffer b) {
        return bases.applyAsLong(b.arena()) + b.offset();
    }

    private long scratch(Launch l) {
        return bases.applyAsLong(Buffer.Arena.SCRATCH) + l.workspaceOffset();
    }
}
