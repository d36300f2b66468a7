"""Times PyTorch's training (or inference) step on the CPU, as a peer for `firn bench`; prints one JSON line.

The step is forward, cross-entropy, backward, SGD with momentum and weight decay, and clearing the gradients, on one
fixed batch, channels last. What makes PyTorch faster is used: the fused optimizer; bfloat16 by autocast when training,
and by converted weights for inference; weights frozen into compiled inference. Threads, allocator and OpenMP's wait
policy are set by the caller's environment before the process starts; `paired.py` does that. `--freeze` as Firn's: frozen
parameters have `requires_grad=False`, frozen batch norms are in evaluation mode, the optimizer has only the others.

    python benchmarks/cpu/pytorch_step.py --model resnet50 --batch 16 --precision bf16 --mode compile
"""
import argparse
import json
import statistics
import time


def memory_mb(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field + ":")) / 1024


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--resolution", type=int, default=224)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--mode", choices=("eager", "compile"), default="eager")
    parser.add_argument("--infer", action="store_true", help="time the forward pass in evaluation mode")
    parser.add_argument("--freeze", default="none", help="none, head (all but the classifier), until:MODULE (all before)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--warmup", type=int, default=3)
    return parser.parse_args()


def freeze(model, spec):
    import torch
    if spec == "none":
        return
    names = [name for name, _ in model.named_modules() if name]
    first = spec.removeprefix("until:") if spec != "head" else "fc" if "fc" in names else "classifier"
    if first not in names:
        raise SystemExit(f"--freeze {spec}: the model has no module {first}")
    trained = set(names[names.index(first):])
    for name, module in model.named_modules():
        # A module before the first that is trained, with nothing of it inside.
        if name and name not in trained and not first.startswith(name + "."):
            module.requires_grad_(False)
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eval()


def training_step(model, images, labels, autocast):
    import torch
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.01, momentum=0.9, weight_decay=1e-4, fused=True)

    def step(forward):
        with autocast:
            loss = torch.nn.functional.cross_entropy(forward(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    return step


def inference_step(images):
    import torch

    def step(forward):
        with torch.inference_mode():
            return forward(images)

    return step


def main():
    arguments = parse()
    import torch
    import torchvision
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    idle = memory_mb("VmRSS")

    low = arguments.precision == "bf16"
    model = torchvision.models.get_model(arguments.model, weights=None).to(memory_format=torch.channels_last)
    images = torch.randn(arguments.batch, 3, arguments.resolution, arguments.resolution)
    images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.randint(0, 1000, (arguments.batch,))
    if arguments.infer:
        model = model.eval().requires_grad_(False)
        if low:
            model, images = model.bfloat16(), images.bfloat16()
        step = inference_step(images)
    else:
        freeze(model.train(), arguments.freeze)
        step = training_step(model, images, labels, torch.autocast("cpu", torch.bfloat16, enabled=low))
    forward = model
    if arguments.mode == "compile":
        import torch._inductor.config as inductor
        inductor.freezing = arguments.infer
        forward = torch.compile(model)

    for _ in range(arguments.warmup):
        step(forward)
    seconds = []
    for _ in range(arguments.steps):
        start = time.perf_counter()
        step(forward)
        seconds.append(time.perf_counter() - start)
    rates = [arguments.batch / each for each in seconds]
    print(json.dumps({
        "framework": "pytorch", "version": torch.__version__, "model": arguments.model,
        "precision": arguments.precision, "mode": arguments.mode, "pass": "infer" if arguments.infer else "train",
        "freeze": arguments.freeze,
        "batch": arguments.batch, "resolution": arguments.resolution, "threads": arguments.threads,
        "steps": arguments.steps,
        "images_per_s": {"median": round(statistics.median(rates), 3), "min": round(min(rates), 3),
                         "max": round(max(rates), 3)},
        "rss_mb_peak": round(memory_mb("VmHWM"), 1), "rss_mb_idle": round(idle, 1)}))


if __name__ == "__main__":
    main()
