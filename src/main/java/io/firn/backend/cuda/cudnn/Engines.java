package io.firn.backend.cuda.cudnn;

import java.util.Collection;
import java.util.List;
import java.util.Optional;

/** Which of cuDNN's engines compute a graph on one device; answers are the same within a process. */
public interface Engines {

    /**
     * The best engine by cuDNN's own estimate that an execution plan was finished with; empty where cuDNN has none.
     * Compiles for seconds at the first time on a machine.
     */
    Optional<Engine> engine(CudnnGraph graph);

    /** Why there is no engine, in cuDNN's words; empty where there is one. */
    String refusal(CudnnGraph graph);

    /**
     * The finished execution plan as cuDNN serialises it: restored in milliseconds where building takes seconds. Empty where
     * none was finished.
     */
    default Optional<byte[]> plan(CudnnGraph graph) {
        return Optional.empty();
    }

    /** The engines that cuDNN ranks first, each finished, best first. */
    default List<Engine> ranked(CudnnGraph graph, int most) {
        return engine(graph).stream().toList();
    }

    /** The engine of that {@link Engine#choice}; empty where there is none. */
    default Optional<Engine> engine(CudnnGraph graph, String choice) {
        return engine(graph).filter(e -> e.choice().equals(choice));
    }

    /** The finished execution plan of that engine. */
    default Optional<byte[]> plan(CudnnGraph graph, String choice) {
        return engine(graph, choice).flatMap(_ -> plan(graph));
    }

    /** Looks these up side by side, so that later questions are answered at once. */
    default void prepare(Collection<CudnnGraph> graphs) {
        graphs.forEach(this::engine);
    }

    /** Whether a library is asked. */
    default boolean checks() {
        return true;
    }

    /** Library and version, for the plan's record. */
    String versions();

    /**
     * Where there is no cuDNN: takes every graph, and says that none was checked.
     *
     * @param reason why there is none
     */
    static Engines notChecked(String reason) {
        return new Engines() {
            @Override
            public Optional<Engine> engine(CudnnGraph graph) {
                return Optional.of(Engine.NOT_CHECKED);
            }

            @Override
            public String refusal(CudnnGraph graph) {
                return "";
            }

            @Override
            public boolean checks() {
                return false;
            }

            @Override
            public String versions() {
                return "cuDNN not checked: " + reason;
            }
        };
    }
}
