package io.firn.plan;

import io.firn.error.UserError;
import io.firn.graph.Graph;
import io.firn.graph.Node;
import io.firn.graph.State;
import io.firn.graph.Value;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;

/**
 * What {@code --freeze} means: which parameters of a model are not trained. Names are torchvision's and match by whole
 * dotted components ({@code layer3.1} is not {@code layer3.10}).
 *
 * <pre>
 * none         nothing
 * head         all but the parameters of the classifier
 * until:NAME   what is used before module NAME, in forward order
 * a,b,c        the parameters below these modules, or these parameters
 * </pre>
 */
public final class FreezeSpec {
    private static final String UNTIL = "until:";

    private FreezeSpec() {
    }

    /** Finds names that a mistyped one may have meant, nearest first. */
    @FunctionalInterface
    public interface Near {
        List<String> of(String wanted, Collection<String> names);
    }

    /**
     * Names of the frozen parameters, in the graph's order.
     *
     * @param model a network in its training form, with output {@code logits}
     * @throws UserError (usage) for a name that matches nothing, with near ones, and where nothing is left to train
     */
    public static Set<String> frozen(String spec, Graph model, Near near) {
        String s = spec.strip();
        Set<String> found = switch (s) {
            case "none" -> Set.of();
            case "head" -> all(model, except(classifier(model)));
            case "auto" -> throw UserError.usage("--freeze auto: this command does not choose by itself; give none, head, "
                    + "until:NAME or names");
            default -> s.startsWith(UNTIL) ? before(s.substring(UNTIL.length()), model, near) : below(s, model, near);
        };
        Set<String> ordered = new LinkedHashSet<>(all(model, found::contains));
        if (FreezePass.withWholeNorms(model, ordered).containsAll(all(model, _ -> true))) {
            throw UserError.usage("--freeze %s leaves nothing to train", spec);
        }
        return ordered;
    }

    /** The frozen parameters, and with either affine parameter of a batch norm the other one. */
    public static Set<String> withWholeNorms(Graph model, Set<String> frozen) {
        return FreezePass.withWholeNorms(model, frozen);
    }

    /** What is frozen besides: the other affine parameter of each batch norm of which one was named. */
    public static List<String> besides(Graph model, Set<String> frozen) {
        Set<String> whole = FreezePass.withWholeNorms(model, frozen);
        return all(model, name -> whole.contains(name) && !frozen.contains(name)).stream().toList();
    }

    private static Set<String> all(Graph model, Predicate<String> wanted) {
        Set<String> names = new LinkedHashSet<>();
        model.states(State.Kind.PARAMETER).stream().map(State::name).filter(wanted).forEach(names::add);
        return names;
    }

    private static Predicate<String> except(Set<String> names) {
        return name -> !names.contains(name);
    }

    /** Parameters of the node that computes the logits. */
    private static Set<String> classifier(Graph model) {
        Node last = model.producers().get(model.output("logits"));
        return names(last.inputs());
    }

    private static Set<String> before(String name, Graph model, Near near) {
        Set<String> used = new LinkedHashSet<>();
        for (Node n : model.nodes()) {
            if (isBelow(n.name(), name) || n.inputs().stream().anyMatch(v -> v.name().equals(name))) {
                return used;
            }
            used.addAll(names(n.inputs()));
        }
        throw unknown(name, model, near);
    }

    private static Set<String> below(String list, Graph model, Near near) {
        Set<String> found = new LinkedHashSet<>();
        for (String part : list.split(",", -1)) {
            String name = part.strip();
            Set<String> here = all(model, p -> isBelow(p, name));
            if (here.isEmpty()) {
                throw unknown(name, model, near);
            }
            found.addAll(here);
        }
        return found;
    }

    /** Whether a dotted name is that of a module or lies in it. */
    private static boolean isBelow(String name, String module) {
        return name.equals(module) || name.startsWith(module + ".");
    }

    private static Set<String> names(List<Value> values) {
        Set<String> names = new LinkedHashSet<>();
        values.forEach(v -> names.add(v.name()));
        return names;
    }

    private static UserError unknown(String name, Graph model, Near near) {
        if (name.isEmpty()) {
            return UserError.usage("--freeze lacks a name: give none, head, until:NAME, or names separated by commas");
        }
        if (model.nodes().stream().anyMatch(n -> isBelow(n.name(), name))) {
            return UserError.usage("--freeze: module '%s' has no parameters", name);
        }
        Set<String> known = new LinkedHashSet<>();
        for (String parameter : all(model, _ -> true)) {
            for (int dot = parameter.indexOf('.'); dot >= 0; dot = parameter.indexOf('.', dot + 1)) {
                known.add(parameter.substring(0, dot));
            }
            known.add(parameter);
        }
        List<String> closest = near.of(name, known);
        List<String> outermost = known.stream().filter(k -> k.indexOf('.') < 0).toList();
        return UserError.usage("--freeze: no module is named '%s'; %s", name, closest.isEmpty()
                ? "the outermost are " + String.join(", ", outermost)
                : "did you mean " + String.join(" or ", closest) + "?");
    }
}
