package io.firn.cli;

import io.firn.backend.Machine;
import io.firn.backend.cuda.CudaDriver;
import io.firn.backend.cuda.CudaLibraries;
import io.firn.backend.cuda.TargetFile;
import io.firn.train.Devices;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;

/** {@code firn info}. */
@Command(name = "info", header = "Shows devices, libraries, and which backend would be used and why.",
        footer = {"", "NVIDIA's libraries are looked for in the folders of FIRN_CUDA_LIBS (colons between them), in the active",
                "Python environment, in CUDA toolkits, among the system's libraries, and in python3's packages.", "",
                "Example: firn info", "         firn info --export-target > my-gpu.json"})
final class InfoCommand implements Runnable {
    @Mixin
    private OutputMixin output;

    @ParentCommand
    private Main firn;

    @Option(names = "--export-target", description = "Prints the first GPU's properties as the JSON of a target to plan "
            + "for, and nothing else.")
    private boolean exportTarget;

    /**
     * What {@code --json} prints.
     *
     * @param plansAssumed why {@code firn plan --target GPU} assumes engines; empty where it asks cuDNN for them
     */
    record Info(String version, String java, Machine machine, CudaDriver cuda, List<Library> libraries,
                List<Library> cudaLibraries, String plansAssumed, Choice backend) {
    }

    /**
     * Which backend {@code --device auto} takes.
     *
     * @param notUsed the others, each with the reason
     */
    record Choice(String used, Map<String, String> notUsed) {
    }

    @Override
    public void run() {
        if (exportTarget) {
            TargetFile target = TargetFile.here();
            output.print(target, () -> target.toJson() + "\n");
            return;
        }
        Machine machine = Machine.here();
        CudaDriver cuda = CudaDriver.probe();
        CudaLibraries nvidia = CudaLibraries.find();
        Info info = new Info(Main.Version.number(), System.getProperty("java.vm.name") + " " + Runtime.version(), machine,
                cuda, Library.all(firn.devices(), machine.cores()), Library.of(nvidia), nvidia.planningProblem(),
                choice(Devices.whyNoCuda()));
        output.print(info, () -> text(info));
    }

    private static Choice choice(String whyNoCuda) {
        return whyNoCuda.isEmpty() ? new Choice("cuda", Map.of("cpu", "there is a GPU; --device cpu takes it all the same"))
                : new Choice("cpu", Map.of("cuda", whyNoCuda));
    }

    private static String text(Info i) {
        var table = new Console.Table("firn", i.version);
        table.row("java", i.java);
        Machine m = i.machine;
        table.row("processor", "%s, %d cores%s".formatted(m.processor(), m.cores(),
                m.instructions().isEmpty() ? "" : ", " + String.join(", ", m.instructions())));
        table.row("memory", "%s, %s free".formatted(Console.bytes(m.memory()), Console.bytes(m.freeMemory())));
        if (!i.cuda.version().isEmpty()) {
            table.row("driver", "supports CUDA " + i.cuda.version());
        }
        for (CudaDriver.Gpu g : i.cuda.gpus()) {
            table.row("gpu", "%s, %s, compute capability %s".formatted(g.name(), Console.bytes(g.memory()),
                    g.computeCapability()));
        }
        for (Library l : i.libraries) {
            table.row(l.name(), l.problem().isEmpty() ? l.version() + " in " + l.path() : "does not load: " + l.problem());
        }
        for (Library l : i.cudaLibraries) {
            table.row(l.name(), l.problem().isEmpty() ? "%s in %s".formatted(l.version(), l.path()) : l.problem());
        }
        table.row("plans for GPUs", i.plansAssumed.isEmpty() ? "cuDNN is asked for engines"
                : "engines are assumed: " + i.plansAssumed);
        table.row("backend", i.backend.used());
        i.backend.notUsed().forEach((name, why) -> table.row("", "not " + name + ": " + why));
        return table.toString();
    }
}
