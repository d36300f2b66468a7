package io.firn.weights;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a pickle of PyTorch's is made of, as {@link Pickle} reads it: data and names, and nothing that acts. Classes and not
 * records, since such values may contain each other, and themselves: no equality or text is ever derived from them.
 */
sealed interface Pickled {

    /** A number, as far as it fits. */
    final class Int implements Pickled {
        final long value;

        Int(long value) {
            this.value = value;
        }
    }

    final class Text implements Pickled {
        final String value;

        Text(String value) {
            this.value = value;
        }
    }

    /** A tuple or a list. */
    final class Sequence implements Pickled {
        final List<Pickled> items;

        Sequence(List<Pickled> items) {
            this.items = items;
        }
    }

    /** A dictionary, as far as its keys are text. */
    final class Dict implements Pickled {
        final Map<String, Pickled> items = new LinkedHashMap<>();
    }

    /** The name of a class or function of Python's. */
    final class Global implements Pickled {
        final String name;

        Global(String name) {
            this.name = name;
        }
    }

    /** Where a tensor's numbers are: a persistent id. */
    final class Storage implements Pickled {
        /** PyTorch's name of its type, such as {@code torch.FloatStorage}. */
        final String type;
        final String key;
        final long elements;

        Storage(String type, String key, long elements) {
            this.type = type;
            this.key = key;
            this.elements = elements;
        }
    }

    /** A view of a storage, as claimed: nothing of it is checked yet. All counts are in elements. */
    final class View implements Pickled {
        final Storage storage;
        final long offset;
        final List<Long> sizes;
        final List<Long> strides;

        View(Storage storage, long offset, List<Long> sizes, List<Long> strides) {
            this.storage = storage;
            this.offset = offset;
            this.sizes = sizes;
            this.strides = strides;
        }
    }

    /** Anything that no weights are found in: real numbers, bytes, a run's options, an optimizer's scalars. */
    final class Other implements Pickled {
        static final Other INSTANCE = new Other();

        private Other() {
        }
    }

    /** A place on the machine's stack that a later instruction goes back to. */
    final class Mark implements Pickled {
        static final Mark INSTANCE = new Mark();

        private Mark() {
        }
    }

    static Sequence sequence() {
        return new Sequence(new ArrayList<>());
    }
}
