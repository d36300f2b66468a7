"""Writes the reference figures that the tests hold Firn's nets to, computed by torchvision in double precision.

Nothing large is stored: weights, images and labels come from integer hashes that the Java tests repeat bit for bit.
All arithmetic on integers is modulo 2^64, all indices count from 0 in row-major order.

    fnv(key)      FNV-1a, 64 bits, over the key's UTF-8 bytes (offset cbf29ce484222325, prime 100000001b3)
    mix(z)        z = (z ^ z >>> 30) * bf58476d1ce4e5b9; z = (z ^ z >>> 27) * 94d049bb133111eb; z ^ z >>> 31
    bits(key, i)  mix(fnv(key) + (i + 1) * 9e3779b97f4a7c15), unsigned: the (i + 1)st value of splitmix64
                  seeded with fnv(key), so also the (i + 1)st nextLong() of Java's SplittableRandom(fnv(key))
    u(key, i)     (bits(key, i) >>> 40) * 2^-23 - 1, in [-1, 1), exact in a float

Every key below ends in a suffix: empty in eval.json, "#" + seed in train.json and freeze.json.

Weights. Element i of the tensor NAME (torchvision's name and layout; key = NAME + suffix) is computed in double
precision as written and rounded once to a float:

    rank 4 (O, I, H, W)  sqrt(6.0 / (I * H * W)) * u     rank 2 (O, I)      sqrt(1.0 / I) * u
    *.running_mean       0.1 * u                         *.running_var      1.0 + 0.2 * abs(u)
    other *.weight       1.0 + 0.1 * u                   *.bias             0.1 * u

Convolutions scale by fan in, not by torchvision's fan out, which would give depthwise convolutions weights near zero.
Evaluation does not renormalise, so signals would vanish or explode with depth: eval.json holds for each batch norm
NAME an integer e, log2 of the root mean square of its input, and there NAME.running_mean is 2^e * (0.1 * u) and
NAME.running_var is 4^e * (1.0 + 0.2 * abs(u)), again rounded to a float last (exact: a power of two). So does
freeze.json, whose entries name what is frozen as Firn's --freeze does: those parameters do not require gradients, and
their batch norms are in evaluation mode. Its ResNets also have losses_error_fp32: rounding decides on which side of 0
some input of a ReLU falls, which moves the next losses by a hundred times as much as rounding itself does, in one run and
not in another of the same seed; so PyTorch's own distance is that of several runs, which add up in other orders.

Images. Sample n (counted through all batches; square, side R, three channels last, one byte each) is coarse blocks
of 8 x 8 pixels plus noise; the block grid has side R / 8:

    block = bits("blocks" + suffix, ((n * R/8 + y/8) * R/8 + x/8) * 3 + c) >>> 56
    pixel = bits("pixels" + suffix, ((n * R   + y  ) * R   + x  ) * 3 + c) >>> 56
    value = (3 * block + pixel) >> 2         network input = (value / 255 - mean[c]) / std[c]

Labels. Sample n has class (bits("labels" + suffix, n) >>> 33) % classes. Step s of batch size B takes samples
s * B to s * B + B - 1.

Update sketches. With an update d = weights after the first step - weights before it, probe k (0 to 3) of the tensor
NAME is the sum over i of sign * d[i], where sign is +1 if bit 63 - k of bits("sketch:" + NAME, i) is set, else -1
(no suffix). The file holds round(probe / unit), unit = 1e-7 *
update_norm. For another update's probe', unrounded,
1e-7 * sqrt((sum over tensors and probes of (stored - probe' / unit)^2) / 4) estimates |d' - d| / |d|.

With torch and torchvision installed, in a few minutes on two cores:

    python benchmarks/reference/make_references.py [--only eval|train|freeze] [--weights FOLDER]
"""
import argparse
import json
from pathlib import Path

import numpy as np
import torch
import torchvision

OUTPUT = Path(__file__).resolve().parents[2] / "src/test/resources/references"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLASSES = 10
EVAL_MODELS = ("resnet18", "resnet50", "resnext50_32x4d", "wide_resnet50_2",
               "efficientnet_b0", "efficientnet_b5", "efficientnet_v2_s")
TRAIN_MODELS = ("resnet18", "resnet50", "resnext50_32x4d", "efficientnet_b0", "efficientnet_v2_s")
FREEZE_CASES = (("resnet18", "head"), ("resnet18", "until:layer3"), ("resnet18", "until:layer4.1.conv2"),
                ("resnet18", "conv1,layer2,layer4.0.bn1"), ("efficientnet_b0", "head"),
                ("efficientnet_b0", "until:features.5"), ("efficientnet_b0", "features.2,features.4.1"))
EVAL_BATCH, TRAIN_BATCH, RESOLUTION = 2, 8, 64
SEEDS, STEPS, PROBES = (0, 1, 2), 6, 4
SKETCH_UNIT = 1e-7
MOMENTUM, WEIGHT_DECAY = 0.9, 1e-4


def learning_rate(name):
    """As large as stays stable: rounding the weights then matters least in the fp32 update."""
    return 0.05 if name.startswith("efficientnet") else 0.002


def fnv(key):
    state = 0xcbf29ce484222325
    for byte in key.encode():
        state = (state ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return state


def bits(key, count):
    z = np.uint64(fnv(key)) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9e3779b97f4a7c15)
    z = (z ^ z >> np.uint64(30)) * np.uint64(0xbf58476d1ce4e5b9)
    z = (z ^ z >> np.uint64(27)) * np.uint64(0x94d049bb133111eb)
    return z ^ z >> np.uint64(31)


def uniform(key, count):
    return (bits(key, count) >> np.uint64(40)).astype(np.float64) * 2.0 ** -23 - 1.0


def tensor(name, shape, suffix):
    u = uniform(name + suffix, int(np.prod(shape)))
    if len(shape) == 4:
        value = np.sqrt(6.0 / (shape[1] * shape[2] * shape[3])) * u
    elif len(shape) == 2:
        value = np.sqrt(1.0 / shape[1]) * u
    elif name.endswith("running_var"):
        value = 1.0 + 0.2 * np.abs(u)
    elif name.endswith(".weight"):
        value = 1.0 + 0.1 * u
    else:
        value = 0.1 * u
    return torch.from_numpy(value.astype(np.float32).reshape(shape))


def state(model, suffix):
    return {name: tensor(name, tuple(old.shape), suffix) for name, old in model.state_dict().items()
            if not name.endswith("num_batches_tracked")}


def images(samples, suffix):
    """The network's input in double precision, N x 3 x R x R, for samples 0 to samples - 1."""
    def field(key, side):
        return (bits(key + suffix, samples * side * side * 3) >> np.uint64(56)).reshape(samples, side, side, 3)

    blocks = field("blocks", RESOLUTION // 8).repeat(8, axis=1).repeat(8, axis=2)
    value = (3 * blocks + field("pixels", RESOLUTION)) >> np.uint64(2)
    normalised = (value.astype(np.float64) / 255 - np.array(MEAN)) / np.array(STD)
    return torch.from_numpy(normalised).permute(0, 3, 1, 2).contiguous()


def labels(samples, suffix):
    return torch.from_numpy((bits("labels" + suffix, samples) >> np.uint64(33)).astype(np.int64) % CLASSES)


def build(name, suffix, dtype):
    without = {"dropout": 0.0, "stochastic_depth_prob": 0.0} if name.startswith("efficientnet") else {}
    model = torchvision.models.get_model(name, weights=None, num_classes=CLASSES, **without)
    model.load_state_dict(state(model, suffix), strict=False)
    return model.to(dtype)


def digits(values, count):
    return [float(f"{float(value):.{count}g}") for value in values]


def scale_statistics(model, inputs):
    """Scales running statistics in forward order to their inputs' size; returns the exponents by batch norm."""
    exponents = {}

    def scale(name):
        def hook(norm, arguments):
            exponents[name] = round(arguments[0].square().mean().sqrt().log2().item())
            norm.running_mean *= 2.0 ** exponents[name]
            norm.running_var *= 4.0 ** exponents[name]
        return hook

    hooks = [norm.register_forward_pre_hook(scale(name)) for name, norm in model.named_modules()
             if isinstance(norm, torch.nn.BatchNorm2d)]
    model(inputs)
    for hook in hooks:
        hook.remove()
    return exponents


def freeze(model, spec):
    """Freezes what Firn's --freeze does; names of the parameters that are left to train."""
    def below(name, module):
        return name == module or name.startswith(module + ".")

    names = [name for name, _ in model.named_parameters()]
    if spec == "head":
        frozen = [name for name in names if not below(name, "fc") and not below(name, "classifier")]
    elif spec.startswith("until:"):
        first = next(i for i, name in enumerate(names) if below(name, spec.removeprefix("until:")))
        frozen = names[:first]
    else:
        frozen = [name for name in names if any(below(name, module) for module in spec.split(","))]
    model.train()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name not in frozen)
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d) and f"{name}.weight" in frozen:
            module.eval()
    return [name for name in names if name not in frozen]


def evaluation(name):
    inputs = images(EVAL_BATCH, "")
    with torch.inference_mode():
        model = build(name, "", torch.float64).eval()
        exponents = scale_statistics(model, inputs)
        exact = model(inputs)
        single = model.float()(inputs.float()).double()
        half = model.bfloat16()(inputs.bfloat16()).double()
    errors = [((other - exact).abs().max() / exact.abs().max()).item() for other in (single, half)]
    return {"model": name, "num_classes": CLASSES, "resolution": RESOLUTION, "batch": EVAL_BATCH,
            "exponents": exponents, "logits": [digits(row, 12) for row in exact],
            "torch_fp32_error": digits(errors[:1], 3)[0], "torch_bf16_error": digits(errors[1:], 3)[0]}


def train(name, seed, dtype, spec, layout=torch.contiguous_format, order=0):
    """
    Losses of each step; the first step's update by parameter, running statistics by name after it, exponents.

    layout is that of images and weights; from 1 on, order is the seed of a permutation of each batch. Neither changes
    what is computed but for the order in which it is added up.
    """
    suffix = f"#{seed}"
    model = build(name, suffix, torch.float64)
    inputs, targets = images(STEPS * TRAIN_BATCH, suffix), labels(STEPS * TRAIN_BATCH, suffix)
    exponents, learned = {}, [key for key, _ in model.named_parameters()]
    if spec:
        with torch.inference_mode():
            exponents = scale_statistics(model.eval(), inputs[:TRAIN_BATCH])
    model, inputs = model.to(dtype, memory_format=layout).train(), inputs.to(dtype)
    if spec:
        learned = freeze(model, spec)
    parameters = [value for value in model.parameters() if value.requires_grad]
    optimizer = torch.optim.SGD(parameters, learning_rate(name), MOMENTUM, weight_decay=WEIGHT_DECAY)
    before = {key: value.detach().double().clone() for key, value in model.named_parameters()}
    losses = []
    generator = torch.Generator().manual_seed(order)
    for x, y in zip(inputs.split(TRAIN_BATCH), targets.split(TRAIN_BATCH)):
        turn = torch.randperm(TRAIN_BATCH, generator=generator) if order else torch.arange(TRAIN_BATCH)
        loss = torch.nn.functional.cross_entropy(model(x[turn].contiguous(memory_format=layout)), y[turn])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if len(losses) == 1:
            update = {key: value.detach().double() - before[key] for key, value in model.named_parameters()
                      if key in learned}
            statistics = {key: value.double().clone() for key, value in model.named_buffers()
                          if "running" in key and key.rsplit(".", 1)[0] + ".weight" in learned}
    return losses, update, statistics, exponents


def own_distances(name, seed, spec, losses):
    """How far the losses of PyTorch's fp32 runs are from these, the most of each run: two layouts, three orders each."""
    return [digits([max(abs(single / loss - 1) for single, loss in zip(run, losses))], 3)[0] for run in
            (train(name, seed, torch.float32, spec, layout, order)[0]
             for layout in (torch.contiguous_format, torch.channels_last) for order in range(3))]


def sketch(update):
    def probes(name, values):
        random = bits("sketch:" + name, values.numel())
        signs = ((random >> np.uint64(63 - k) & np.uint64(1)).astype(np.float64) * 2 - 1 for k in range(PROBES))
        return [sign @ values.flatten().numpy() for sign in signs]

    return {name: probes(name, values) for name, values in update.items()}


def norm(values):
    return sum(value.square().sum().item() for value in values) ** 0.5


def chosen(update):
    """First, middle and last convolution, a batch norm from the middle, and the classifier, of those that are trained."""
    convolutions = [name for name, value in update.items() if value.dim() == 4]
    norms = [name for name, value in update.items() if value.dim() == 1 and name.endswith(".weight")]
    classifier = [name for name, value in update.items() if value.dim() == 2]
    if not convolutions:
        return classifier
    return [convolutions[0], convolutions[len(convolutions) // 2], convolutions[-1], *norms[len(norms) // 2:][:1],
            *classifier]


def training(name, seed, spec=None):
    losses, update, statistics, exponents = train(name, seed, torch.float64, spec)
    losses32, update32, statistics32, _ = train(name, seed, torch.float32, spec)
    exact, single = sketch(update), sketch(update32)
    length = norm(update.values())
    by_sketch = (sum((a - b) ** 2 for key in exact for a, b in zip(exact[key], single[key])) / PROBES) ** 0.5
    difference = {key: update32[key] - value for key, value in update.items()}
    means = [key for key in statistics if key.endswith("running_mean")]
    kept = [key.replace("running_mean", kind) for key in {means[0]: 0, means[len(means) // 2]: 0, means[-1]: 0}
            for kind in ("running_mean", "running_var")] if means else []
    return {
        "model": name, "seed": seed, "lr": learning_rate(name),
        **({"freeze": spec, "exponents": exponents} if spec else {}),
        "losses": digits(losses, 12), "losses_fp32": digits(losses32, 9),
        **({"losses_error_fp32": own_distances(name, seed, spec, losses)} if spec and name.startswith("resnet") else {}),
        "update_norm": digits([length], 9)[0],
        "update_error_fp32": digits([norm(difference.values()) / length], 3)[0],
        "update_error_fp32_by_sketch": digits([by_sketch / length], 3)[0],
        "updates": {key: {"norm": digits([norm([update[key]])], 9)[0],
                          "error_fp32": digits([norm([difference[key]]) / norm([update[key]])], 3)[0]}
                    for key in chosen(update)},
        "running": {key: digits(statistics[key][:8], 9) for key in kept},
        "running_error_fp32": digits([max((norm([statistics32[key] - value]) / norm([value])
                                           for key, value in statistics.items()), default=0)], 3)[0],
        "sketch": {key: [round(value / (SKETCH_UNIT * length)) for value in values] for key, values in exact.items()},
    }


def write(name, entries, limit, **shared):
    """One JSON object: what the entries share, then a list with a line for each field of an entry."""
    fields = (",\n".join(f"{json.dumps(key)}:{json.dumps(value, separators=(',', ':'))}"
                         for key, value in entry.items()) for entry in entries)
    text = json.dumps(shared)[:-1] + ',\n"entries":[\n' + ",\n".join("{" + each + "}" for each in fields) + "\n]}\n"
    json.loads(text)
    assert len(text) < limit, f"{name} would have {len(text)} bytes, more than {limit}"
    OUTPUT.mkdir(parents=True, exist_ok=True)
    (OUTPUT / name).write_text(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("eval", "train", "freeze"))
    parser.add_argument("--weights", type=Path, help="also write eval.json's weights as safetensors files here")
    arguments = parser.parse_args()
    if arguments.weights:
        from safetensors.torch import save_file
        arguments.weights.mkdir(parents=True, exist_ok=True)
        for name in EVAL_MODELS:
            save_file(state(build(name, "", torch.float32), ""), arguments.weights / f"{name}.safetensors")
    versions = {"torch": torch.__version__.split("+")[0], "torchvision": torchvision.__version__.split("+")[0]}
    shape = {"num_classes": CLASSES, "resolution": RESOLUTION}
    if arguments.only in (None, "eval"):
        write("eval.json", map(evaluation, EVAL_MODELS), 100_000, **versions, **shape, batch=EVAL_BATCH)
    if arguments.only in (None, "freeze"):
        write("freeze.json", (training(name, seed, spec) for name, spec in FREEZE_CASES for seed in SEEDS), 150_000,
              **versions, **shape, batch=TRAIN_BATCH, steps=STEPS, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    if arguments.only in (None, "train"):
        write("train.json", (training(name, seed) for name in TRAIN_MODELS for seed in SEEDS), 200_000, **versions,
              **shape, batch=TRAIN_BATCH, steps=STEPS, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)


if __name__ == "__main__":
    main()
