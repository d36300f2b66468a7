package io.firn.cli;

import static io.firn.cli.CommandLineRun.fields;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code firn plan}: the contract's fields, sums that agree, and what freezing takes away. */
class PlanCommandTest {
    private static final long RESNET20 = 269_722;

    private static JsonNode plan(String options) {
        var run = CommandLineRun.of(("plan resnet20 --batch 4 --json " + options).strip().split(" "));
        assertThat(run.code()).as(run.err()).isZero();
        return run.json();
    }

    private static Stream<JsonNode> launches(JsonNode plan) {
        return StreamSupport.stream(plan.get("launches").spliterator(), false);
    }

    private static long sum(JsonNode plan, String field) {
        return launches(plan).mapToLong(l -> l.get(field).asLong()).sum();
    }

    @Test
    void jsonHasTheContractsFields() {
        JsonNode p = plan("");
        assertThat(fields(p)).containsExactly("model", "target", "kernels", "rates", "precision", "batch", "resolution", "micro_batches",
                "parameters",
                "trainable_parameters", "flops", "memory", "predicted_ms", "launches", "removed");
        assertThat(fields(p.get("flops"))).containsExactly("forward", "backward");
        assertThat(fields(p.get("memory"))).containsExactly("weights", "gradients", "optimizer", "activations",
                "workspace", "total");
        assertThat(fields(p.get("removed"))).containsExactly("launches", "flops", "bytes", "memory", "predicted_ms");
        assertThat(launches(p)).allSatisfy(l -> {
            assertThat(fields(l)).containsExactly("name", "op", "phase", "times", "stream", "kernel", "computes", "flops", "bytes",
                    "workspace", "predicted_ms", "live", "reason");
            assertThat(l.get("live").asLong()).isBetween(l.get("workspace").asLong() + 1, p.get("memory").get("total").asLong());
            assertThat(Set.of("input", "forward", "backward", "collective", "optimizer")).contains(l.get("phase").asText());
        });
        assertThat(p.get("model").asText()).isEqualTo("resnet20");
        assertThat(p.get("resolution").asInt()).isEqualTo(32);
        assertThat(p.get("batch").asInt()).isEqualTo(4);
    }

    @Test
    void whatIsCountedIsExact() {
        JsonNode p = plan("");
        assertThat(p.get("flops").get("forward").asLong()).isEqualTo(2L * 4 * 40_551_040);
        assertThat(p.get("flops").get("forward").asLong() + p.get("flops").get("backward").asLong())
                .isEqualTo(sum(p, "flops"));
        assertThat(p.get("trainable_parameters").asLong()).isEqualTo(p.get("parameters").asLong()).isEqualTo(RESNET20);
        JsonNode memory = p.get("memory");
        // The largest at least; at most all, were none stepped before the last is there.
        assertThat(memory.get("gradients").asLong()).isBetween(4L * 64 * 64 * 9, 4 * RESNET20 - 1);
        // A norm wants all of them, and becomes one factor.
        assertThat(plan("--clip-norm 1").get("memory").get("gradients").asLong()).isEqualTo(4 * RESNET20 + 4);
        assertThat(memory.get("optimizer").asLong()).isEqualTo(4 * RESNET20);
        assertThat(memory.get("total").asLong()).isEqualTo(Stream.of("weights", "gradients", "optimizer", "activations",
                "workspace").mapToLong(kind -> memory.get(kind).asLong()).sum());
        assertThat(launches(p)).allMatch(l -> l.get("workspace").asLong()
                == (l.get("flops").asLong() > 0 ? PlainDevice.WORKSPACE : 0));
        assertThat(memory.get("workspace").asLong()).isBetween(0L, PlainDevice.WORKSPACE);
        assertThat(plan("--optimizer adamw").get("memory").get("optimizer").asLong()).isEqualTo(8 * RESNET20);
    }

    @Test
    void frozenMeansAbsent() {
        JsonNode all = plan("");
        JsonNode p = plan("--freeze until:layer3");
        assertThat(launches(p)).noneMatch(l -> l.get("computes").toString().matches(".*wgrad layer[12].*"));
        assertThat(p.get("removed").get("launches").asInt()).isEqualTo(all.get("launches").size() - p.get("launches").size())
                .isPositive();
        assertThat(p.get("removed").get("flops").asLong()).isEqualTo(sum(all, "flops") - sum(p, "flops")).isPositive();
        assertThat(p.get("removed").get("bytes").asLong()).isEqualTo(sum(all, "bytes") - sum(p, "bytes")).isPositive();
        long trained = p.get("trainable_parameters").asLong();
        assertThat(trained).isLessThan(RESNET20);
        assertThat(p.get("parameters").asLong()).isEqualTo(RESNET20);
        assertThat(p.get("memory").get("gradients").asLong()).isEqualTo(4 * 64 * 64 * 9);
        assertThat(plan("--freeze until:layer3 --clip-norm 1").get("memory").get("gradients").asLong())
                .isEqualTo(4 * trained + 4);
        assertThat(p.get("memory").get("optimizer").asLong()).isEqualTo(4 * trained);
        assertThat(all.get("removed").get("launches").asInt()).isZero();
    }

    @Test
    void inferenceTrainsNothing() {
        JsonNode p = plan("--mode infer --precision bf16");
        assertThat(launches(p)).allMatch(l -> Set.of("input", "forward").contains(l.get("phase").asText()));
        assertThat(p.get("trainable_parameters").asLong()).isZero();
        assertThat(p.get("memory").get("gradients").asLong()).isZero();
        assertThat(p.get("memory").get("optimizer").asLong()).isZero();
        assertThat(p.get("precision").asText()).isEqualTo("bf16");
    }

    @Test
    void whatTheUpdateAsksForIsInThePlan() {
        JsonNode plain = plan("");
        JsonNode clipped = plan("--clip-norm 1");
        assertThat(launches(clipped).filter(l -> l.get("phase").asText().equals("optimizer")).count())
                .isGreaterThan(launches(plain).filter(l -> l.get("phase").asText().equals("optimizer")).count());
        assertThat(plan("--ema 0.99").get("memory").get("optimizer").asLong()).isGreaterThanOrEqualTo(8 * RESNET20);
        assertThat(plan("--momentum 0").get("memory").get("optimizer").asLong()).isZero();
        JsonNode recipe = CommandLineRun.of("plan", "resnet20", "--recipe", "imagenet-resnet-v2", "--json").json();
        assertThat(recipe.get("batch").asInt()).isEqualTo(128);
        assertThat(recipe.get("micro_batches").asInt()).isEqualTo(8);
        assertThat(recipe.get("memory").get("optimizer").asLong()).as("momentum and averages")
                .isGreaterThanOrEqualTo(8 * RESNET20);
    }

    @Test
    void gradientsOfSeveralBatchesAreAStep() {
        JsonNode plain = plan("");
        JsonNode p = plan("--grad-accumulation 3");
        assertThat(p.get("batch").asInt()).isEqualTo(4);
        assertThat(p.get("micro_batches").asInt()).isEqualTo(3);
        assertThat(p.get("flops").get("forward").asLong()).isEqualTo(3 * plain.get("flops").get("forward").asLong());
        assertThat(p.get("flops").get("forward").asLong() + p.get("flops").get("backward").asLong())
                .isEqualTo(launches(p).mapToLong(l -> l.get("times").asLong() * l.get("flops").asLong()).sum());
        assertThat(launches(p)).allMatch(l -> l.get("times").asInt()
                == (l.get("phase").asText().equals("optimizer") && !l.get("computes").toString().contains("accumulate") ? 1 : 3));
        assertThat(p.get("predicted_ms").asDouble()).isBetween(2.5 * plain.get("predicted_ms").asDouble(),
                3.5 * plain.get("predicted_ms").asDouble());
        assertThat(p.get("trainable_parameters").asLong()).isEqualTo(RESNET20);
        JsonNode frozen = plan("--grad-accumulation 3 --freeze until:layer3");
        assertThat(frozen.get("removed").get("flops").asLong()).isEqualTo(3 * plan("--freeze until:layer3").get("removed")
                .get("flops").asLong());
        assertThat(CommandLineRun.of("plan", "resnet20", "--batch", "4", "--grad-accumulation", "3").out())
                .startsWith("resnet20, 3 batches of 4 at 32 pixels")
                .containsPattern("\nthose before the last \\d+ run for each of the 3 batches\n");
    }

    @Test
    void plansForAGpuThatIsNotHere() {
        JsonNode p = plan("--target h100 --engines assume --precision bf16");
        assertThat(p.get("target").asText()).isEqualTo("h100");
        assertThat(p.get("kernels").asText()).contains("cuDNN not checked: --engines assume");
        assertThat(p.get("rates").asText()).contains("measured").contains("data sheet");
        assertThat(launches(p)).anyMatch(l -> l.get("op").asText().equals("bn_apply+relu+conv+bn_statistics")
                && l.get("reason").asText().contains("recomputes layer1.0.bn1, layer1.0.relu"));
        assertThat(launches(p)).anyMatch(l -> l.get("reason").asText().contains("in fp16 only"));
        assertThat(plan("--target l4 --engines assume").get("predicted_ms").asDouble()).isGreaterThan(p.get("predicted_ms").asDouble());
        assertThat(plan("--target h100 --engines assume").get("precision").asText()).isEqualTo("bf16");
    }

    @Test
    void refusesWhatDoesNotFitTheGpu() {
        var run = CommandLineRun.of("plan", "resnet18", "--target", "l4", "--engines", "assume", "--batch", "3000");
        assertThat(run.code()).isEqualTo(4);
        var largest = Pattern.compile("the largest batch that fits is --batch (\\d+)\n").matcher(run.err());
        assertThat(largest.find()).as(run.err()).isTrue();
        int fits = Integer.parseInt(largest.group(1));
        assertThat(CommandLineRun.of("plan", "resnet18", "--target", "l4", "--engines", "assume", "--batch", "" + fits).code()).isZero();
        assertThat(CommandLineRun.of("plan", "resnet18", "--target", "l4", "--engines", "assume", "--batch", "" + (fits + 1)).code()).isEqualTo(4);
    }

    @Test
    void theTableHasEveryLaunchOnOneLine() {
        var run = CommandLineRun.of("plan", "resnet20", "--batch", "4", "--freeze", "bn1.weight", "--threads", "2");
        assertThat(run.code()).isZero();
        assertThat(run.out()).startsWith("resnet20, batch 4 at 32 pixels, fp32, cpu (2 threads, plain)\n")
                .containsPattern("\n +\\d+  conv1 +conv +forward +firn:conv +3,538,944 +")
                .containsPattern("\nweights +1,\\d\\d\\d,\\d\\d\\d +").contains("\n--freeze bn1.weight against the whole:\n").containsPattern("\nbytes moved +[\\d,]+ +[\\d,]+ +[\\d,]+ +\\d+\\.\\d %");
        assertThat(run.err()).isEqualTo("frozen as well, since a batch norm is frozen as a whole: bn1.bias\n");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '~', value = {
            "--batch 0 ~ --batch 0",
            "--batch 2000000000 ~ --batch 2000000000 is too large",
            "--batch x ~ 'x' is no whole number",
            "--resolution 0 ~ --resolution 0 is too small",
            "--freeze layer9 ~ no module is named 'layer9'; did you mean layer1",
            "--freeze auto ~ --freeze auto: this command does not choose by itself",
            "--precision fp64 ~ none of fp32, tf32, bf16, fp16, auto",
            "--precision fp16 ~ use bf16 or fp32",
            "--mode test ~ expected one of train, infer but was 'test'",
            "--optimizer adam ~ --optimizer takes sgd|adamw|rmsprop|rmsproptf|lars, not \"adam\"",
            "--recipe cifar ~ there is cifar-resnet",
            "--ema 1 ~ --ema",
            "--grad-accumulation 0 ~ --grad-accumulation 0",
            "--nesterov --optimizer adamw ~ --nesterov is for --optimizer sgd",
            "--mode infer --ema 0.9 --clip-norm 1 ~ leave out --ema and --clip-norm",
            "--mode infer --freeze head ~ leave out --freeze",
            "--target h10 ~ --target h10: no device has that name; did you mean h100",
            "--target tpu9000 ~ there are cpu, h100",
            "--target h100 --threads 2 ~ leave it out with --target h100",
            "--threads 0 ~ --threads 0"})
    void wrongInputIsAUsageError(String options, String message) {
        var run = CommandLineRun.of(("plan resnet20 " + options).split(" "));
        assertThat(run.code()).as(run.err()).isEqualTo(2);
        assertThat(run.err()).startsWith("firn: ").contains(message).hasLineCount(1);
        assertThat(run.out()).isEmpty();
    }
}
