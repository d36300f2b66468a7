package io.firn.weights;

import static io.firn.weights.Malformed.quote;

import io.firn.weights.Pickled.Dict;
import io.firn.weights.Pickled.Global;
import io.firn.weights.Pickled.Int;
import io.firn.weights.Pickled.Other;
import io.firn.weights.Pickled.Sequence;
import io.firn.weights.Pickled.Storage;
import io.firn.weights.Pickled.Text;
import io.firn.weights.Pickled.View;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * The names of Python's that a checkpoint may refer to, and what calling each means here. A name that is not in these
 * tables makes the file an error, whether it would be called or not: there is no way from a file to code.
 */
final class TorchGlobals {
    private static final Set<String> DICTS = Set.of("collections.OrderedDict", "collections.defaultdict",
            "collections.Counter", "builtins.dict", "__builtin__.dict");

    /** What no weights are in: it is read over, and what it would make is {@link Other}. */
    private static final Set<String> IGNORED = Set.of("argparse.Namespace", "types.SimpleNamespace",
            "builtins.set", "builtins.frozenset", "builtins.list", "builtins.tuple", "builtins.object", "builtins.complex",
            "builtins.bytearray", "builtins.slice", "builtins.int", "builtins.float", "builtins.bool", "builtins.str",
            "__builtin__.set", "__builtin__.frozenset", "__builtin__.list", "__builtin__.tuple", "__builtin__.object",
            "__builtin__.complex", "__builtin__.bytearray", "__builtin__.slice", "__builtin__.int", "__builtin__.float",
            "__builtin__.bool", "__builtin__.str", "__builtin__.long", "copy_reg._reconstructor",
            "copyreg._reconstructor", "_codecs.encode", "datetime.datetime", "datetime.timedelta", "pathlib.Path",
            "pathlib.PosixPath", "pathlib.PurePosixPath", "pathlib.WindowsPath", "numpy.dtype", "numpy.ndarray",
            "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "numpy.core.multiarray._reconstruct",
            "numpy._core.multiarray._reconstruct", "torch.device", "torch.serialization._get_layout",
            "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer", "torch.Tensor", "torch._tensor.Tensor",
            "torch.float32", "torch.float", "torch.float64", "torch.double", "torch.float16", "torch.half",
            "torch.bfloat16", "torch.int64", "torch.long", "torch.int32", "torch.int", "torch.int16", "torch.int8",
            "torch.uint8", "torch.bool", "torch.contiguous_format", "torch.channels_last", "torch.strided");

    private static final Set<String> TENSORS = Set.of("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor");
    private static final Set<String> PARAMETERS = Set.of("torch._utils._rebuild_parameter",
            "torch._utils._rebuild_parameter_with_state");
    private static final String SUBCLASS = "torch._tensor._rebuild_from_type_v2";
    private static final String SIZE = "torch.Size";

    private TorchGlobals() {
    }

    static Global find(String module, String name) throws Malformed {
        String full = module + "." + name;
        boolean known = DICTS.contains(full) || IGNORED.contains(full) || TENSORS.contains(full)
                || PARAMETERS.contains(full) || full.equals(SUBCLASS) || full.equals(SIZE) || isStorage(full);
        if (!known) {
            throw new Malformed("it refers to %s, which is more than weights, and nothing in a file is run here: save "
                    + "model.state_dict() alone", quote(full));
        }
        return new Global(full);
    }

    /** {@code torch.FloatStorage}, {@code torch.cuda.HalfStorage}, {@code torch.storage.UntypedStorage}, … */
    private static boolean isStorage(String name) {
        return name.matches("torch\\.(cuda\\.|storage\\.)?[A-Z][A-Za-z0-9]{0,30}Storage");
    }

    /**
     * What {@code global(*arguments)} would be.
     *
     * @throws Malformed for arguments that the function does not take
     */
    static Pickled call(Global global, List<Pickled> arguments) throws Malformed {
        String name = global.name;
        if (DICTS.contains(name)) {
            return dict(arguments);
        }
        if (TENSORS.contains(name)) {
            return view(arguments);
        }
        if (PARAMETERS.contains(name)) {
            return argument(arguments, 0, Pickled.class, name);
        }
        if (name.equals(SUBCLASS)) {
            Global function = argument(arguments, 0, Global.class, name);
            if (!TENSORS.contains(function.name)) {
                throw new Malformed("a tensor is made by %s", quote(function.name));
            }
            return view(argument(arguments, 2, Sequence.class, name).items);
        }
        return name.equals(SIZE) ? argument(arguments, 0, Sequence.class, name) : Other.INSTANCE;
    }

    /** From nothing or a list of pairs; a defaultdict has what makes missing values instead. */
    private static Dict dict(List<Pickled> arguments) throws Malformed {
        Dict dict = new Dict();
        if (!arguments.isEmpty() && arguments.getFirst() instanceof Sequence pairs) {
            for (Pickled p : pairs.items) {
                if (!(p instanceof Sequence pair) || pair.items.size() != 2) {
                    throw new Malformed("a dictionary of what are no pairs");
                }
                put(dict, pair.items.get(0), pair.items.get(1));
            }
        }
        return dict;
    }

    static void put(Dict dict, Pickled key, Pickled value) {
        if (key instanceof Text t) {
            dict.items.put(t.value, value);
        }
    }

    /** (storage, offset, sizes, strides, …) */
    private static View view(List<Pickled> arguments) throws Malformed {
        String what = "a tensor";
        return new View(argument(arguments, 0, Storage.class, what), argument(arguments, 1, Int.class, what).value,
                numbers(argument(arguments, 2, Sequence.class, what)), numbers(argument(arguments, 3, Sequence.class, what)));
    }

    /** A persistent id: ("storage", type, key, device, number of elements), and in PyTorch's first format a view or None. */
    static Storage storage(Pickled id) throws Malformed {
        String what = "a persistent id";
        if (!(id instanceof Sequence s)) {
            throw new Malformed("%s is no tuple", what);
        }
        if (!argument(s.items, 0, Text.class, what).value.equals("storage")) {
            throw new Malformed("%s is of another kind than 'storage'", what);
        }
        if (s.items.size() > 5 && !(s.items.get(5) instanceof Other)) {
            throw new Malformed("its storages are views, as PyTorch before 0.4 wrote them: load and save it with PyTorch");
        }
        return new Storage(argument(s.items, 1, Global.class, what).name, argument(s.items, 2, Text.class, what).value,
                argument(s.items, 4, Int.class, what).value);
    }

    private static List<Long> numbers(Sequence s) throws Malformed {
        if (s.items.size() > TorchTensors.MAX_RANK) {
            throw new Malformed("a tensor of more than %d dimensions", TorchTensors.MAX_RANK);
        }
        List<Long> numbers = new ArrayList<>();
        for (int i = 0; i < s.items.size(); i++) {
            numbers.add(argument(s.items, i, Int.class, "a tensor's shape").value);
        }
        return numbers;
    }

    private static <T extends Pickled> T argument(List<Pickled> arguments, int at, Class<T> type, String what)
            throws Malformed {
        if (at >= arguments.size() || !type.isInstance(arguments.get(at))) {
            throw new Malformed("%s has no %s as its argument %d", what, type.getSimpleName().toLowerCase(), at + 1);
        }
        return type.cast(arguments.get(at));
    }
}
