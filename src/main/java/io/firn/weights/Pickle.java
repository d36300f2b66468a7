package io.firn.weights;

import io.firn.weights.Pickled.Dict;
import io.firn.weights.Pickled.Global;
import io.firn.weights.Pickled.Int;
import io.firn.weights.Pickled.Mark;
import io.firn.weights.Pickled.Other;
import io.firn.weights.Pickled.Sequence;
import io.firn.weights.Pickled.Text;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/**
 * Reads pickles of protocols 2 to 5 (PEP 3154; CPython's {@code pickletools}) as far as {@code torch.save} writes them.
 * A pickle is a program for a stack machine; this one makes data and names only. It runs nothing, since a name means what
 * {@link TorchGlobals} says or is an error; it allocates nothing that the bytes left do not back; it does not recur. That is
 * why it is not a library's reader, which resolves names in a table that any class may add to, and allocates what a length
 * claims.
 */
final class Pickle {
    /** Some 100 MB, and over five times what EfficientNetV2-L's checkpoint has with its optimizer's state and averages. */
    private static final int MOST_OBJECTS = 1_000_000;

    private final ByteBuffer in;
    private final Consumer<Pickled.Storage> storages;
    private final List<Pickled> stack = new ArrayList<>();
    private final Map<Integer, Pickled> memo = new HashMap<>();
    private int objects;

    private Pickle(ByteBuffer in, Consumer<Pickled.Storage> storages) {
        this.in = in;
        this.storages = storages;
    }

    /**
     * Reads one pickle, after which the buffer stands.
     *
     * @throws Malformed where it is damaged, or holds what weights do not need
     */
    static Pickled read(ByteBuffer in) throws Malformed {
        return read(in, _ -> { });
    }

    /** As {@link #read(ByteBuffer)}, telling of every storage that is referred to. */
    static Pickled read(ByteBuffer in, Consumer<Pickled.Storage> storages) throws Malformed {
        return new Pickle(in.order(ByteOrder.LITTLE_ENDIAN), storages).run();
    }

    private Pickled run() throws Malformed {
        while (true) {
            int opcode = Byte.toUnsignedInt(bytes(1).get());
            switch (opcode) {
                case 0x80 -> { // PROTO
                    int protocol = Byte.toUnsignedInt(bytes(1).get());
                    if (protocol > 5) {
                        throw new Malformed("a pickle of protocol %d, where 5 is the last known", protocol);
                    }
                }
                case 0x95 -> bytes(8); // FRAME
                case '.' -> {
                    return pop();
                }
                case '(' -> push(Mark.INSTANCE);
                case '0' -> pop();
                case '1' -> popToMark();
                case '2' -> push(top(Pickled.class));
                case 'N', 0x88, 0x89, 0x8f -> push(Other.INSTANCE); // NONE, NEWTRUE, NEWFALSE, EMPTY_SET
                case 'G' -> other(8); // BINFLOAT
                case 'J' -> push(new Int(bytes(4).getInt()));
                case 'K' -> push(new Int(Byte.toUnsignedInt(bytes(1).get())));
                case 'M' -> push(new Int(Short.toUnsignedInt(bytes(2).getShort())));
                case 0x8a -> integer(length(1)); // LONG1
                case 0x8b -> integer(length(4)); // LONG4
                case 'X', 'T' -> text(length(4)); // BINUNICODE, and BINSTRING of Python 2
                case 0x8c, 'U' -> text(length(1)); // SHORT_BINUNICODE, and SHORT_BINSTRING of Python 2
                case 0x8d -> text(length(8)); // BINUNICODE8
                case 'B' -> other(length(4)); // BINBYTES
                case 'C' -> other(length(1)); // SHORT_BINBYTES
                case 0x8e, 0x96 -> other(length(8)); // BINBYTES8, BYTEARRAY8
                case ']', ')' -> push(Pickled.sequence());
                case 'a' -> {
                    Pickled item = pop();
                    append(List.of(item));
                }
                case 'e', 0x90 -> append(popToMark()); // APPENDS, ADDITEMS
                case 'l', 't' -> push(new Sequence(popToMark()));
                case 0x91 -> { // FROZENSET
                    popToMark();
                    push(Other.INSTANCE);
                }
                case 0x85, 0x86, 0x87 -> tuple(opcode - 0x84);
                case '}' -> push(new Dict());
                case 'd' -> {
                    List<Pickled> items = popToMark();
                    push(new Dict());
                    set(items);
                }
                case 's' -> {
                    Pickled value = pop();
                    Pickled key = pop();
                    set(List.of(key, value));
                }
                case 'u' -> set(popToMark());
                case 'c' -> push(TorchGlobals.find(line(), line()));
                case 0x93 -> { // STACK_GLOBAL
                    String name = pop(Text.class).value;
                    push(TorchGlobals.find(pop(Text.class).value, name));
                }
                case 'R', 0x81 -> call(); // REDUCE, NEWOBJ
                case 0x92 -> { // NEWOBJ_EX
                    pop();
                    call();
                }
                case 'b' -> pop(); // BUILD: attributes of an object, such as a state dict's version
                case 'Q' -> { // BINPERSID
                    Pickled.Storage storage = TorchGlobals.storage(pop());
                    storages.accept(storage);
                    push(storage);
                }
                case 'h' -> push(recall(Byte.toUnsignedInt(bytes(1).get())));
                case 'j' -> push(recall(bytes(4).getInt()));
                case 'q' -> keep(Byte.toUnsignedInt(bytes(1).get()));
                case 'r' -> keep(bytes(4).getInt());
                case 0x94 -> keep(memo.size()); // MEMOIZE
                default -> throw new Malformed("its pickle has the instruction 0x%02x, which torch.save does not write",
                        opcode);
            }
        }
    }

    /** The next bytes; there are that many. */
    private ByteBuffer bytes(long n) throws Malformed {
        if (n < 0 || n > in.remaining()) {
            throw new Malformed("its pickle ends within %s bytes of which %d are there", Long.toUnsignedString(n),
                    in.remaining());
        }
        ByteBuffer taken = in.slice(in.position(), (int) n).order(ByteOrder.LITTLE_ENDIAN);
        in.position(in.position() + (int) n);
        return taken;
    }

    private long length(int bytes) throws Malformed {
        ByteBuffer b = bytes(bytes);
        return switch (bytes) {
            case 1 -> Byte.toUnsignedLong(b.get());
            case 4 -> Integer.toUnsignedLong(b.getInt());
            default -> b.getLong();
        };
    }

    private String line() throws Malformed {
        ByteBuffer from = in.duplicate();
        for (int n = 0; from.hasRemaining(); n++) {
            if (from.get() == '\n') {
                String text = StandardCharsets.UTF_8.decode(bytes(n)).toString();
                bytes(1);
                return text;
            }
        }
        throw new Malformed("its pickle ends within a name");
    }

    private void push(Pickled value) throws Malformed {
        count(1);
        stack.add(value);
    }

    private void count(int more) throws Malformed {
        objects += more;
        if (objects > MOST_OBJECTS) {
            throw new Malformed("its pickle has more than %,d objects", MOST_OBJECTS);
        }
    }

    private void call() throws Malformed {
        List<Pickled> arguments = pop(Sequence.class).items;
        // A dictionary is made from a list's items, and one list could be given to many.
        for (Pickled a : arguments.subList(0, Math.min(1, arguments.size()))) {
            count(a instanceof Sequence s ? s.items.size() : 0);
        }
        push(TorchGlobals.call(pop(Global.class), arguments));
    }

    private Pickled pop() throws Malformed {
        return pop(Pickled.class);
    }

    private <T extends Pickled> T pop(Class<T> type) throws Malformed {
        T value = top(type);
        stack.removeLast();
        return value;
    }

    private <T extends Pickled> T top(Class<T> type) throws Malformed {
        if (stack.isEmpty() || stack.getLast() == Mark.INSTANCE || !type.isInstance(stack.getLast())) {
            throw new Malformed("its pickle has no %s where one is wanted", type == Pickled.class ? "value"
                    : type.getSimpleName().toLowerCase());
        }
        return type.cast(stack.getLast());
    }

    private List<Pickled> popToMark() throws Malformed {
        int at = stack.lastIndexOf(Mark.INSTANCE);
        if (at < 0) {
            throw new Malformed("its pickle has no mark where one is wanted");
        }
        List<Pickled> after = stack.subList(at + 1, stack.size());
        List<Pickled> items = new ArrayList<>(after);
        after.clear();
        stack.removeLast();
        return items;
    }

    private void tuple(int size) throws Malformed {
        List<Pickled> items = new ArrayList<>();
        for (int i = 0; i < size; i++) {
            items.addFirst(pop());
        }
        push(new Sequence(items));
    }

    private void text(long length) throws Malformed {
        push(new Text(StandardCharsets.UTF_8.decode(bytes(length)).toString()));
    }

    private void other(long length) throws Malformed {
        bytes(length);
        push(Other.INSTANCE);
    }

    /** A whole number of so many bytes, little-endian and signed; one that fits no long counts for nothing. */
    private void integer(long length) throws Malformed {
        ByteBuffer b = bytes(length);
        if (length > 8) {
            push(Other.INSTANCE);
            return;
        }
        long value = 0;
        for (int i = 0; i < length; i++) {
            long next = b.get(i);
            value |= (i == length - 1 ? next : next & 0xff) << 8 * i;
        }
        push(new Int(value));
    }

    private void append(List<Pickled> items) throws Malformed {
        switch (top(Pickled.class)) {
            case Sequence s -> s.items.addAll(items);
            case Other _ -> {
            }
            case Int _, Text _, Dict _, Global _, Pickled.Storage _, Pickled.View _, Mark _ ->
                    throw new Malformed("its pickle appends to what is no list");
        }
    }

    private void set(List<Pickled> keysAndValues) throws Malformed {
        if (keysAndValues.size() % 2 != 0) {
            throw new Malformed("its pickle has a key without a value");
        }
        switch (top(Pickled.class)) {
            case Dict d -> {
                for (int i = 0; i < keysAndValues.size(); i += 2) {
                    TorchGlobals.put(d, keysAndValues.get(i), keysAndValues.get(i + 1));
                }
            }
            case Other _ -> {
            }
            case Int _, Text _, Sequence _, Global _, Pickled.Storage _, Pickled.View _, Mark _ ->
                    throw new Malformed("its pickle sets an entry of what is no dictionary");
        }
    }

    private void keep(int index) throws Malformed {
        count(1);
        memo.put(index, top(Pickled.class));
    }

    private Pickled recall(int index) throws Malformed {
        Pickled value = memo.get(index);
        if (value == null) {
            throw new Malformed("its pickle recalls what it never kept");
        }
        return value;
    }
}
