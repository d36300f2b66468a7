import java.util.Arrays;
import java.util.Locale;
import org.deeplearning4j.nn.conf.WorkspaceMode;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.transferlearning.FineTuneConfiguration;
import org.deeplearning4j.nn.transferlearning.TransferLearning;
import org.deeplearning4j.nn.weights.WeightInitRelu;
import org.deeplearning4j.zoo.model.ResNet50;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.config.Nesterovs;

/**
 * DL4J's transfer learning, timed: its zoo's ResNet-50 with all but the last layer frozen, or nothing, one fixed batch of
 * 224 pixels in fp32, He's weights (the zoo's own give no finite loss), Nesterov's SGD with momentum. Usage: TransferStep
 * head|none BATCH STEPS WARMUP; prints a line of JSON.
 */
public final class TransferStep {
    private TransferStep() {
    }

    public static void main(String[] args) {
        boolean head = switch (args[0]) {
            case "head" -> true;
            case "none" -> false;
            default -> throw new IllegalArgumentException("'" + args[0] + "': expected head or none");
        };
        int batch = Integer.parseInt(args[1]);
        int steps = Integer.parseInt(args[2]);
        int warmup = Integer.parseInt(args[3]);
        Nd4j.getRandom().setSeed(0);
        ComputationGraph net = ResNet50.builder().numClasses(1000).updater(new Nesterovs(0.01, 0.9))
                .weightInit(new WeightInitRelu()).workspaceMode(WorkspaceMode.ENABLED).build().init();
        String last = net.getConfiguration().getNetworkOutputs().get(0);
        if (head) {
            String before = net.getConfiguration().getVertexInputs().get(last).get(0);
            net = new TransferLearning.GraphBuilder(net)
                    .fineTuneConfiguration(new FineTuneConfiguration.Builder().updater(new Nesterovs(0.01, 0.9)).build())
                    .setFeatureExtractor(before).build();
        }
        INDArray images = Nd4j.rand(batch, 3, 224, 224);
        INDArray labels = Nd4j.zeros(batch, 1000);
        for (int i = 0; i < batch; i++) {
            labels.putScalar(i, i * 37 % 1000, 1);
        }
        DataSet data = new DataSet(images, labels);
        double[] rates = new double[steps];
        for (int i = -warmup; i < steps; i++) {
            long start = System.nanoTime();
            net.fit(data);
            double loss = net.score();
            if (i >= 0) {
                rates[i] = batch * 1e9 / (System.nanoTime() - start);
            }
            System.err.printf(Locale.ROOT, "step %d: loss %.4f%n", i, loss);
        }
        Arrays.sort(rates);
        System.out.printf(Locale.ROOT, "{\"framework\": \"dl4j\", \"backend\": \"%s\", \"freeze\": \"%s\", \"batch\": %d, "
                + "\"steps\": %d, \"images_per_s\": {\"median\": %.3f, \"min\": %.3f, \"max\": %.3f}}%n",
                Nd4j.getBackend().getClass().getSimpleName(), args[0], batch, steps,
                (rates[steps / 2] + rates[(steps - 1) / 2]) / 2, rates[0], rates[steps - 1]);
    }
}
