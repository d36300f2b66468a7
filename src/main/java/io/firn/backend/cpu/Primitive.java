package io.firn.backend.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.dnnl.dnnl_exec_arg_t;
import org.bytedeco.dnnl.dnnl_memory;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.dnnl.dnnl_primitive;
import org.bytedeco.dnnl.dnnl_primitive_desc;

/** A primitive of oneDNN with its arguments. It owns both; the arena owns the memory that the arguments point to. */
final class Primitive implements Executable {
    private final OneDnn dnn;
    private final String name;
    private final dnnl_primitive handle = new dnnl_primitive();
    private final List<dnnl_memory> memories = new ArrayList<>();
    private final dnnl_exec_arg_t arguments;
    private final int count;
    private boolean closed;

    /** An operand: oneDNN's number for it, its layout, and where it lies. */
    record Argument(int number, dnnl_memory_desc layout, long address) {
    }

    /** @param scratch address of the scratch memory; unused where the primitive needs none */
    Primitive(OneDnn dnn, String name, dnnl_primitive_desc pd, List<Argument> operands, long scratch) {
        this.dnn = dnn;
        this.name = name;
        OneDnn.check(dnnl_primitive_create(handle, pd), name + ": dnnl_primitive_create");
        List<Argument> all = new ArrayList<>(operands);
        dnnl_memory_desc scratchpad = OneDnn.query(pd, dnnl_query_scratchpad_md);
        if (scratchpad != null) {
            all.add(new Argument(DNNL_ARG_SCRATCHPAD, scratchpad, scratch));
        }
        count = all.size();
        arguments = new dnnl_exec_arg_t(count);
        try {
            for (int i = 0; i < count; i++) {
                dnnl_memory memory = new dnnl_memory();
                OneDnn.check(dnnl_memory_create(memory, all.get(i).layout, dnn.engine, OneDnn.at(all.get(i).address)),
                        name + ": dnnl_memory_create");
                memories.add(memory);
                arguments.getPointer(i).arg(all.get(i).number).memory(memory);
            }
        } catch (RuntimeException e) {
            close();
            throw e;
        }
    }

    @Override
    public void run() {
        int status = dnnl_primitive_execute(handle, dnn.stream, count, arguments);
        if (status != dnnl_success) {
            throw new OneDnn.Failed(name + ": dnnl_primitive_execute", status);
        }
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        memories.forEach(m -> OneDnn.check(dnnl_memory_destroy(m), "dnnl_memory_destroy"));
        OneDnn.check(dnnl_primitive_destroy(handle), "dnnl_primitive_destroy");
        arguments.close();
    }
}
