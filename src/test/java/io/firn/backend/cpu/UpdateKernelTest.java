package io.firn.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.graph.DType;
import io.firn.graph.Shape;
import org.junit.jupiter.api.Test;
import io.firn.graph.Rates;
import io.firn.graph.Type;
import io.firn.graph.Update;
import io.firn.oracle.Interpreter;
import io.firn.plan.Layout;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The optimizers' steps, in place, over ranges that do and do not follow one another. */
class UpdateKernelTest {
    private static final Type SCALAR = new Type(DType.F32, Shape.SCALAR);

    static List<Update> optimizers() {
        return List.of(new Update.Sgd(0, 0, false, 1), new Update.Sgd(0.9, 1e-4, false, 1), new Update.Sgd(0.9, 1e-2, true, 0.5),
                new Update.AdamW(0.9, 0.999, 1e-8, 1e-2, 1), new Update.RmsProp(0.9, 1e-3, true, 0.9, 1e-5, 1),
                new Update.RmsProp(0.99, 1e-8, false, 0, 1e-2, 2), new Update.Average(0.99), new Update.Accumulate(4));
    }

    @ParameterizedTest
    @MethodSource("optimizers")
    void equalsTheInterpreter(Update op) {
        Random random = new Random(1);
        int[] lengths = {1, 16, 37, 70_000, 5};
        int total = IntStream.of(lengths).sum();
        List<double[]> operands = new ArrayList<>();
        for (int i = 0; i < 2 + op.slots().size(); i++) {
            operands.add(DoubleStream.generate(random::nextGaussian).limit(total).map(x -> (float) Math.abs(x)).toArray());
        }
        double[] rates = {(float) 0.05, 3, 0, 1, 0, 0, 0, 0};
        Type type = Type.f32(total);
        List<Type> types = new ArrayList<>(Collections.nCopies(operands.size(), type));
        types.add(Rates.TYPE);
        List<double[]> all = new ArrayList<>(operands);
        all.add(rates);
        if (op instanceof Update.Step) {
            types.add(SCALAR);
            all.add(new double[] {0.5});
        }
        List<double[]> expected = Interpreter.run(op, types, all);
        try (Workers workers = new Workers(2); Arena arena = Arena.ofConfined()) {
            List<Guarded> memory = operands.stream().map(x -> new Guarded(arena, type, Layout.DENSE, x)).toList();
            List<UpdateKernel.Segment> segments = new ArrayList<>();
            long at = 0;
            for (int length : lengths) {
                long from = at;
                long[] slots = memory.stream().skip(2).mapToLong(m -> m.tensor.address() + from).toArray();
                segments.add(new UpdateKernel.Segment(op, memory.get(0).tensor.address() + from,
                        memory.get(1).tensor.address() + from, slots, length));
                at += 4L * length;
            }
            // Half of each gradient, where the update is an optimizer's.
            Tensor scale = op instanceof Update.Step ? new Guarded(arena, SCALAR, Layout.DENSE, new double[] {0.5}).tensor : null;
            try (UpdateKernel kernel = new UpdateKernel(segments, new Guarded(arena, Rates.TYPE, Layout.DENSE, rates).tensor,
                    scale, workers)) {
                kernel.run();
            }
            OpCase.compare(op + " weights", memory.get(0).read(), expected.get(0), 1e-6);
            OpCase.compare("gradients", memory.get(1).read(), operands.get(1), 0);
            for (int s = 0; s < op.slots().size(); s++) {
                OpCase.compare(op + " slot " + s, memory.get(2 + s).read(), expected.get(1 + s), 1e-6);
            }
        }
    }

    /** LARS takes the norm of each tensor by itself. */
    @Test
    void larsAdaptsEachTensor() {
        Random random = new Random(2);
        var op = new Update.Lars(0.9, 1e-3, 1e-8, 1e-4, 1);
        double[] rates = {(float) 0.05, 3, 0, 0, 0, 0, 0, 0};
        try (Workers workers = new Workers(2); Arena arena = Arena.ofConfined()) {
            List<UpdateKernel.Segment> segments = new ArrayList<>();
            List<List<Guarded>> memory = new ArrayList<>();
            List<List<double[]>> expected = new ArrayList<>();
            for (int length : new int[] {37, 200_000, 5}) {
                Type type = Type.f32(length);
                List<double[]> operands = new ArrayList<>();
                for (int i = 0; i < 3; i++) {
                    operands.add(OpCase.random(type, random));
                }
                memory.add(operands.stream().map(x -> new Guarded(arena, type, Layout.DENSE, x)).toList());
                operands.add(rates);
                expected.add(Interpreter.run(op, List.of(type, type, type, Rates.TYPE), operands));
                segments.add(new UpdateKernel.Segment(op, memory.getLast().get(0).tensor.address(),
                        memory.getLast().get(1).tensor.address(), new long[] {memory.getLast().get(2).tensor.address()}, length));
            }
            try (UpdateKernel kernel = new UpdateKernel(segments, new Guarded(arena, Rates.TYPE, Layout.DENSE, rates).tensor, null,
                    workers)) {
                kernel.run();
            }
            for (int i = 0; i < segments.size(); i++) {
                OpCase.compare("weights", memory.get(i).get(0).read(), expected.get(i).get(0), 1e-6);
                OpCase.compare("momentum", memory.get(i).get(2).read(), expected.get(i).get(1), 1e-6);
            }
        }
    }

    @Test
    void aFactorOfZeroLeavesAllAsItIs() {
        Type type = Type.f32(21);
        Random random = new Random(3);
        List<double[]> operands = List.of(OpCase.random(type, random), OpCase.random(type, random), OpCase.random(type, random));
        try (Workers workers = new Workers(1); Arena arena = Arena.ofConfined()) {
            List<Guarded> memory = operands.stream().map(x -> new Guarded(arena, type, Layout.DENSE, x)).toList();
            Guarded rates = new Guarded(arena, Rates.TYPE, Layout.DENSE, new double[] {1, 1, 0, 0, 0, 0, 0, 0});
            Guarded zero = new Guarded(arena, SCALAR, Layout.DENSE, new double[] {0});
            try (UpdateKernel kernel = new UpdateKernel(List.of(new UpdateKernel.Segment(new Update.Sgd(0.9, 0, false, 1),
                    memory.get(0).tensor.address(), memory.get(1).tensor.address(),
                    new long[] {memory.get(2).tensor.address()}, 21)), rates.tensor, zero.tensor, workers)) {
                kernel.run();
            }
            assertThat(memory.get(0).read()).isEqualTo(operands.get(0));
            assertThat(memory.get(2).read()).isEqualTo(operands.get(2));
        }
    }
}
