"""CIFAR's recipe (--recipe cifar-resnet) on a part of Fashion-MNIST: Firn and PyTorch with the same settings, seed by seed.

    python benchmarks/recipes/cifar_recipe.py --data FOLDER [--images 5000 --test 5000 --epochs 8 --seeds 3] [--output FILE]

FOLDER has Fashion-MNIST's four IDX files, gzipped or not (`firn data fetch fashion-mnist` says where they are). Both train a
ResNet-20 with parameter-free shortcuts on the same images in fp32: 128 a step, SGD with momentum 0.9, weight decay 1e-4 on all
parameters, a rate of 0.1 that falls to a tenth at half and three quarters, zero padding of 4 with a random crop, mirroring, the
last partial batch dropped. Initialisation is He's in both. What differs is what is drawn at random, so seeds are compared by
their mean and spread. Build Firn first; a Python with PyTorch and NumPy.
"""
import argparse
import gzip
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

ROOT = Path(__file__).resolve().parents[2]
MEAN, STD, BATCH = 0.2860, 0.3530, 128


def idx(folder, name):
    path = next(p for p in (folder / name, folder / (name + ".gz")) if p.exists())
    data = (gzip.open if path.suffix == ".gz" else open)(path, "rb").read()
    dims = data[3]
    shape = [int.from_bytes(data[4 + 4 * i:8 + 4 * i], "big") for i in range(dims)]
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dims).reshape(shape)


def write_idx(path, array):
    head = bytes([0, 0, 8, array.ndim]) + b"".join(int(d).to_bytes(4, "big") for d in array.shape)
    path.write_bytes(head + array.tobytes())


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        self.stride, self.pad = stride, (outputs - inputs) // 2

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.stride > 1 or self.pad:
            x = F.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, self.pad, self.pad))
        return F.relu(x + y)


def resnet20():
    widths = [16] * 3 + [32] * 3 + [64] * 3
    blocks = [Block(widths[max(i - 1, 0)], w, 2 if i in (3, 6) else 1) for i, w in enumerate(widths)]
    net = nn.Sequential(nn.Conv2d(1, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), *blocks,
                        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    for m in net.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
    return net


def pytorch(train, labels, test, test_labels, epochs, seed):
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    net = resnet20()
    optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)
    steps = len(train) // BATCH
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [round(epochs * .5 * steps), round(epochs * .75 * steps)], 0.1)
    x = (torch.from_numpy(train.copy()).float()[:, None] / 255 - MEAN) / STD
    black = (0 - MEAN) / STD
    y = torch.from_numpy(labels.astype(np.int64))
    start = time.time()
    for _ in range(epochs):
        order = torch.randperm(len(x), generator=generator)
        for s in range(steps):
            i = order[s * BATCH:(s + 1) * BATCH]
            padded = F.pad(x[i], (4, 4, 4, 4), value=black)
            at = torch.randint(0, 9, (BATCH, 2), generator=generator)
            flip = torch.rand(BATCH, generator=generator) < .5
            batch = torch.stack([padded[n, :, t:t + 28, l:l + 28] for n, (t, l) in enumerate(at.tolist())])
            batch = torch.where(flip[:, None, None, None], batch.flip(3), batch)
            loss = F.cross_entropy(net(batch), y[i])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    seconds = time.time() - start
    net.eval()
    with torch.no_grad():
        t = (torch.from_numpy(test.copy()).float()[:, None] / 255 - MEAN) / STD
        hits = sum((net(t[i:i + 500]).argmax(1).numpy() == test_labels[i:i + 500]).sum() for i in range(0, len(t), 500))
    return hits / len(test), seconds


def firn(data, epochs, seed, threads):
    with tempfile.TemporaryDirectory() as run:
        out = subprocess.run([str(ROOT / "firn"), "train", "--json", "--data", str(data), "--model", "resnet20", "--recipe",
                              "cifar-resnet", "--epochs", str(epochs), "--seed", str(seed), "--precision", "fp32", "--threads",
                              str(threads), "--mean", str(MEAN), "--std", str(STD), "--output", run + "/run"],
                             capture_output=True, text=True)
        if out.returncode:
            raise SystemExit(f"firn ended with {out.returncode}: {out.stderr}")
    r = json.loads(out.stdout)
    return r["val_top1"], r["seconds"]


def commit():
    return subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()


def processor():
    names = [line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
             if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--test", type=int, default=5000)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--output", type=Path)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    names = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
    parts = [idx(a.data, n)[:a.images if n.startswith("train") else a.test] for n in names]
    rows = []
    with tempfile.TemporaryDirectory() as subset:
        for name, part in zip(names, parts):
            write_idx(Path(subset) / name, part)
        for seed in range(a.seeds):
            for system, run in (("firn", lambda: firn(subset, a.epochs, seed, a.threads)),
                                ("pytorch", lambda: pytorch(*parts, a.epochs, seed))):
                top1, seconds = run()
                rows.append({"system": system, "seed": seed, "top1": round(float(top1), 4), "seconds": round(seconds, 1)})
                print(rows[-1], flush=True)
    summary = {s: {"mean_top1": round(float(np.mean([r["top1"] for r in rows if r["system"] == s])), 4),
                   "std_top1": round(float(np.std([r["top1"] for r in rows if r["system"] == s], ddof=1)), 4)
                   if a.seeds > 1 else None} for s in ("firn", "pytorch")}
    report = {"command": "benchmarks/recipes/cifar_recipe.py", "images": a.images, "test": a.test, "epochs": a.epochs,
              "threads": a.threads, "load": os.getloadavg()[0], "machine": processor(), "firn": commit(),
              "torch": torch.__version__, "runs": rows, "summary": summary}
    print(json.dumps(summary, indent=1))
    if a.output:
        a.output.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
