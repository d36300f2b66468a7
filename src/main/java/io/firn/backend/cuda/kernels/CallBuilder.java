package io.firn.backend.cuda.kernels;

import io.firn.graph.DType;
import io.firn.graph.Value;
import io.firn.plan.Subgraph;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * Puts a {@link KernelCall} together: the file's text with what is generated for this launch, and the struct of arguments,
 * whose C declaration and whose bytes are made from the same fields.
 */
final class CallBuilder {
    private static final String MARKER = "//@ ";

    private final String name;
    private final Subgraph subgraph;
    private final StringBuilder fields = new StringBuilder();
    private final ArgumentBlock.Writer arguments = new ArgumentBlock.Writer();
    private final StringBuilder head = new StringBuilder();
    private final Map<String, String> parts = new HashMap<>();
    private final Map<Value, Integer> numbers = new HashMap<>();
    private final Map<String, String> pointers = new LinkedHashMap<>();
    private int reals;
    private ArgumentBlock table = ArgumentBlock.EMPTY;

    /** @param name of the file in {@code native/cuda}, without its ending */
    CallBuilder(String name, Subgraph subgraph) {
        this.name = name;
        this.subgraph = subgraph;
    }

    /** A name for the value that does not depend on its place in the graph, so that equal subgraphs give equal text. */
    String name(Value v) {
        return "v" + numbers.computeIfAbsent(v, k -> numbers.size());
    }

    /** The pointer to an input of the subgraph; declared once. */
    String input(Value v) {
        return input(v, "in_" + name(v));
    }

    /** The pointer to an input of the subgraph by the name that the kernel's text has for it. */
    String input(Value v, String field) {
        return pointer("const " + type(v.dtype()), field, new Operand.Input(subgraph.inputs().indexOf(v)));
    }

    /** The same of an input that there may not be: null where {@code v} is. */
    String inputOrNull(Value v, DType type, String field) {
        return v == null ? nothing("const " + type(type), field) : input(v, field);
    }

    /** The pointer to an output of the subgraph; declared once. */
    String output(Value v) {
        int number = subgraph.outputs().indexOf(v);
        return pointer(type(v.dtype()), "out_" + name(v), new Operand.Output(number));
    }

    /** The pointer to an output that the kernel leaves out where nothing needs it. */
    String outputOrNull(Value v, String field) {
        if (subgraph.outputs().contains(v)) {
            return pointer(type(v.dtype()), field, new Operand.Output(subgraph.outputs().indexOf(v)));
        }
        return nothing(type(v.dtype()), field);
    }

    /** A pointer that is null. */
    String nothing(String type, String field) {
        fields.append("  %s* %s;\n".formatted(type, field));
        arguments.nothing();
        return "a." + field;
    }

    String pointer(String type, String field, Operand to) {
        return pointers.computeIfAbsent(field, f -> {
            fields.append("  %s* %s;\n".formatted(type, field));
            arguments.pointer(to);
            return "a." + field;
        });
    }

    CallBuilder integer(String field, int value) {
        fields.append("  int %s;\n".formatted(field));
        arguments.integer(value);
        return this;
    }

    CallBuilder real(String field, double value) {
        fields.append("  float %s;\n".formatted(field));
        arguments.real((float) value);
        return this;
    }

    /** A number that generated code uses; returns the expression that reads it. */
    String number(double value) {
        String field = "k" + reals++;
        real(field, value);
        return "a." + field;
    }

    String count(int value) {
        String field = "k" + reals++;
        integer(field, value);
        return "a." + field;
    }

    CallBuilder constant(String name, int value) {
        head.append("constexpr int %s = %d;\n".formatted(name, value));
        return this;
    }

    CallBuilder type(String name, DType type) {
        head.append("using %s = %s;\n".formatted(name, type(type)));
        return this;
    }

    /** Declarations that stand between the arguments and the kernel. */
    CallBuilder declare(String text) {
        head.append(text);
        return this;
    }

    /** Generated lines in place of the marker of that name. */
    CallBuilder part(String marker, String text) {
        parts.put(marker, text);
        return this;
    }

    CallBuilder table(ArgumentBlock t) {
        table = t;
        return this;
    }

    KernelCall build(KernelCall.Grid grid) {
        StringBuilder text = new StringBuilder("namespace ENTRY_scope {\nstruct Args {\n").append(fields).append("};\n")
                .append(head);
        Set<String> unused = new TreeSet<>(parts.keySet());
        for (String line : KernelSource.resource(name + ".cu").lines().toList()) {
            int at = line.indexOf(MARKER);
            if (at < 0) {
                text.append(line).append('\n');
                continue;
            }
            String marker = line.substring(at + MARKER.length()).strip();
            String part = parts.get(marker);
            if (part == null) {
                throw new IllegalStateException("%s.cu: nothing for '%s'".formatted(name, marker));
            }
            unused.remove(marker);
            part.lines().forEach(l -> text.append(" ".repeat(at)).append(l).append('\n'));
        }
        if (!unused.isEmpty()) {
            throw new IllegalStateException("%s.cu has no place for %s".formatted(name, unused));
        }
        text.append("}  // namespace\n");
        return new KernelCall(KernelSource.of(name, text.toString()), grid, arguments.done(), table);
    }

    /** The element type in the kernels' C++. */
    static String type(DType type) {
        return switch (type) {
            case F32 -> "float";
            case BF16 -> "bf16";
            case F16 -> "f16";
            case U8 -> "unsigned char";
            case I32 -> "int";
        };
    }
}
