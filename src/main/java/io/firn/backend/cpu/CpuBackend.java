package io.firn.backend.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import io.firn.backend.Backend;
import io.firn.backend.Collectives;
import io.firn.backend.Peaks;
import io.firn.backend.Session;
import io.firn.backend.Tuned;
import io.firn.error.UserError;
import io.firn.plan.Buffer;
import io.firn.plan.Kernels;
import io.firn.plan.Layout;
import io.firn.plan.Plan;
import io.firn.plan.PlanRequest;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.plan.Target;
import io.firn.plan.TuningTable;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;

/** The CPU through oneDNN and own kernels. */
public final class CpuBackend implements Backend {
    private final OneDnn dnn;
    private final Descriptors descriptors;
    private final OpenMp openMp;
    private final Workers workers;
    private final int threads;
    private final int isa;
    private boolean closed;

    private CpuBackend(int threads) {
        this.threads = threads;
        dnn = new OneDnn();
        descriptors = new Descriptors(dnn);
        openMp = new OpenMp();
        workers = new Workers(threads);
        isa = dnnl_get_effective_cpu_isa();
        useThreads();
    }

    /** @param threads that compute; 0 = as many as the machine has processors */
    public static CpuBackend open(int threads) {
        int available = Runtime.getRuntime().availableProcessors();
        if (threads < 0 || threads > 4 * available) {
            throw UserError.usage("--threads %d: this machine has %d processors", threads, available);
        }
        try {
            return new CpuBackend(threads == 0 ? available : threads);
        } catch (LinkageError e) {
            throw UserError.other("oneDNN, which computes on CPUs, cannot be loaded: %s", e.getMessage()).causedBy(e);
        }
    }

    /** oneDNN's threads are set for the thread that calls it. */
    void useThreads() {
        openMp.threads(threads);
    }

    @Override
    public Target target() {
        return CpuTarget.of(threads, instructions());
    }

    /** The instruction set that oneDNN generates code for. */
    private String instructions() {
        if (has(dnnl_cpu_isa_avx512_core_amx)) {
            return "avx512_core_amx";
        }
        if (has(dnnl_cpu_isa_avx512_core_bf16)) {
            return "avx512_core_bf16";
        }
        if (has(dnnl_cpu_isa_avx512_core)) {
            return "avx512_core";
        }
        return has(dnnl_cpu_isa_avx2) ? "avx2" : "sse41";
    }

    private boolean has(int set) {
        return (isa & set) == set;
    }

    @Override
    public Kernels kernels(TuningTable table) {
        Layout chosen = Layout.NHWC.label().equals(table.choices().get(TuningTable.LAYOUT)) ? Layout.NHWC : defaultLayout();
        return new CpuKernels(descriptors, table, chosen);
    }

    /** Blocks of 16 channels are what oneDNN's AVX-512 code is written for; elsewhere NHWC loses least. */
    Layout defaultLayout() {
        return has(dnnl_cpu_isa_avx512_core) ? Layout.BLOCKED16 : Layout.NHWC;
    }

    @Override
    public Tuned tune(List<PlanRequest> requests, TuningTable known, Predicate<Program> measure) {
        return new Tuner(this, dnn, descriptors).tune(requests, known, measure);
    }

    @Override
    public Precision bestPrecision() {
        return has(dnnl_cpu_isa_avx512_core_bf16) ? Precision.BF16 : Precision.FP32;
    }

    @Override
    public void check(Precision precision) {
        switch (precision) {
            case FP32 -> {
            }
            case BF16 -> {
                if (!has(dnnl_cpu_isa_avx512_core)) {
                    throw UserError.usage("--precision bf16 needs a processor with AVX-512; use fp32");
                }
            }
            case TF32, FP16 -> throw UserError.usage("--precision %s is for GPUs; on the CPU use %s", precision.label(),
                    bestPrecision().label());
        }
    }

    @Override
    public Session load(Program program, Collectives ranks) {
        return new CpuSession(this, program, ranks, Path.of(System.getProperty("java.io.tmpdir")));
    }

    @Override
    public Peaks measurePeaks() {
        useThreads();
        return new PeakMeter(dnn, descriptors, workers).measure(has(dnnl_cpu_isa_avx512_core_bf16));
    }

    Binder binder(Plan plan, Map<Buffer.Arena, Long> bases, Collectives ranks) {
        return new Binder(dnn, descriptors, workers, plan, bases, ranks);
    }

    Executable winograd(Winograd sizes, Tensor from, Tensor to, Tensor w, Optional<WinogradTail> tail, long scratch) {
        return WinogradKernel.of(dnn, descriptors, sizes, from, to, w, tail, scratch, workers);
    }

    /** Bytes of scratch memory that such a kernel needs. */
    long winogradBytes(Winograd sizes) {
        return WinogradKernel.workspace(descriptors, sizes);
    }

    Reorder reorder(Tensor from, Tensor to) {
        return new Reorder(dnn, descriptors, "unpack", from, to, 0);
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        workers.close();
        descriptors.close();
        dnn.close();
    }
}
