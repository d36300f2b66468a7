"""Times PyTorch's training (or inference) step on an NVIDIA GPU, as a peer for `firn bench`; prints one JSON line.

The step is forward, cross-entropy, backward, SGD with momentum and weight decay, and clearing the gradients, on one fixed
batch, channels last, the products under autocast (with a gradient scaler in fp16), cuDNN choosing by measurement. What is
frozen needs no gradient, and its batch norms are in evaluation mode. A step is timed from its start until the device has
ended it.

    python benchmarks/gpu/pytorch_step.py --model resnet50 --batch 256 --precision bf16 --mode compile
"""
import argparse
import json
import statistics
import sys
import time


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--resolution", type=int, default=224)
    parser.add_argument("--precision", choices=("fp32", "tf32", "bf16", "fp16"), default="bf16")
    parser.add_argument("--mode", choices=("eager", "compile"), default="eager")
    parser.add_argument("--infer", action="store_true", help="time the forward pass in evaluation mode")
    parser.add_argument("--freeze", default="none", help="none, or until:NAME: all before that module")
    parser.add_argument("--device", default="cuda", help="cuda or cuda:N")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--warmup", type=int, default=20)
    parser.add_argument("--dry", action="store_true", help="check the options and measure nothing")
    return parser.parse_args(arguments)


def freeze(model, spec):
    """Freezes what comes before the module; returns the frozen modules."""
    if spec == "none":
        return []
    first = spec.removeprefix("until:")
    names = [name for name, _ in model.named_modules()]
    if first not in names:
        sys.exit(f"--freeze {spec}: the model has no module {first}")
    before = names[:names.index(first)]
    frozen = [module for name, module in model.named_modules()
              if name in before and not any(True for _ in module.children())]
    for module in frozen:
        module.eval()
        module.requires_grad_(False)
    return frozen


def training_step(torch, model, images, labels, precision):
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, 0.01, momentum=0.9, weight_decay=1e-4, fused=True)
    scaler = torch.amp.GradScaler("cuda", enabled=precision == "fp16")
    low = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)

    def step(forward):
        with torch.autocast("cuda", low, enabled=low is not None):
            loss = torch.nn.functional.cross_entropy(forward(images), labels)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad(set_to_none=True)

    return step


def inference_step(torch, images):
    def step(forward):
        with torch.inference_mode():
            forward(images)

    return step


def main():
    options = parse()
    if options.dry:
        print(json.dumps(vars(options)))
        return
    import torch
    import torchvision
    if not torch.cuda.is_available():
        print("PyTorch finds no NVIDIA GPU: nothing was measured", file=sys.stderr)
        sys.exit(2)
    torch.cuda.set_device(torch.device(options.device))
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = options.precision == "tf32"

    model = torchvision.models.get_model(options.model, weights=None).cuda().to(memory_format=torch.channels_last)
    images = torch.randn(options.batch, 3, options.resolution, options.resolution, device="cuda")
    images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.randint(0, 1000, (options.batch,), device="cuda")
    if options.infer:
        low = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(options.precision, torch.float32)
        model, images = model.eval().requires_grad_(False).to(low), images.to(low)
        step = inference_step(torch, images)
    else:
        model.train()
        freeze(model, options.freeze)
        step = training_step(torch, model, images, labels, options.precision)
    forward = torch.compile(model, mode="max-autotune") if options.mode == "compile" else model

    for _ in range(options.warmup):
        step(forward)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    seconds = []
    for _ in range(options.steps):
        start = time.perf_counter()
        step(forward)
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    rates = [options.batch / each for each in seconds]
    print(json.dumps({
        "framework": "pytorch", "version": torch.__version__, "card": torch.cuda.get_device_name(),
        "model": options.model, "precision": options.precision, "mode": options.mode,
        "pass": "infer" if options.infer else "train", "freeze": options.freeze, "batch": options.batch,
        "resolution": options.resolution, "steps": options.steps,
        "images_per_s": {"median": round(statistics.median(rates), 3), "min": round(min(rates), 3),
                         "max": round(max(rates), 3)},
        "memory_bytes": torch.cuda.max_memory_reserved()}))


if __name__ == "__main__":
    main()
