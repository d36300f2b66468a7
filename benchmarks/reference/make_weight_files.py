"""Writes weight files with PyTorch, for the tests of Firn's readers.

    make_weight_files.py small DIR         the fixtures below src/test/resources/io/firn/weights (a few kB each)
    make_weight_files.py small DIR --onnx  also the one of torch.onnx.export, which needs the package onnxscript
    make_weight_files.py nets DIR          whole networks, each as .pth (both formats) and safetensors, bf16 too
    make_weight_files.py compare A B       exits 1 unless two files (.pth or .safetensors) hold the same state dict

Small tensors hold multiples of 1/8, exact in every type: element i of tensor number n has (i - n) / 8.
"""
import argparse
import collections
import pathlib
import sys

import torch
from torch import nn


def numbers(n, *shape, dtype=torch.float32):
    count = torch.Size(shape).numel()
    return ((torch.arange(count, dtype=torch.float64) - n) / 8).reshape(shape).to(dtype)


def small_state():
    """Types, views, shared storages; the Java test has the same table."""
    base = numbers(20, 6, 4)
    state = collections.OrderedDict()
    state["f32"] = numbers(0, 2, 3)
    state["f16"] = numbers(1, 5, dtype=torch.float16)
    state["bf16"] = numbers(2, 3, 1, 2, dtype=torch.bfloat16)
    state["f64"] = numbers(3, 4, dtype=torch.float64)
    state["scalar"] = torch.tensor(2.5)
    state["bn.running_var"] = numbers(4, 3)
    state["bn.num_batches_tracked"] = torch.tensor(1234567)
    state["transposed"] = base.t()
    state["columns"] = base[1:5, ::2]
    state["tail"] = base[4:]
    state["shared"] = base
    state["channels_last"] = numbers(5, 2, 3, 2, 2).contiguous(memory_format=torch.channels_last)
    state["expanded"] = numbers(6, 3, 1).expand(3, 2)
    state["parameter"] = nn.Parameter(numbers(7, 2, 2))
    state["conv1d"] = numbers(8, 2, 2, 2)
    return state


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, 5)

    def forward(self, x):
        return self.fc(torch.relu(self.bn1(self.conv1(x))).mean((2, 3)))


def filled_net():
    net = Net().eval()
    for n, t in enumerate(list(net.parameters()) + [net.bn1.running_mean, net.bn1.running_var]):
        t.data.copy_(numbers(n, *t.shape))
    return net


def small(folder, onnx):
    state = small_state()
    torch.save(state, folder / "state.pth")
    torch.save(state, folder / "state-first-format.pth", _use_new_zipfile_serialization=False)
    torch.save(state, folder / "state-protocol4.pth", pickle_protocol=4)
    torch.save(state, folder / "state-first-format-protocol4.pth", pickle_protocol=4, _use_new_zipfile_serialization=False)

    net = filled_net()
    optimizer = torch.optim.AdamW(net.parameters())
    net(torch.ones(2, 3, 5, 5)).sum().backward()
    saved = {k: v.clone() for k, v in net.state_dict().items()}
    optimizer.step()
    net.load_state_dict(saved)
    averaged = torch.optim.swa_utils.AveragedModel(net)
    checkpoint = {
        "epoch": 3, "best": 0.75, "args": argparse.Namespace(lr=0.1, name="x", ids={1, 2}),
        "model": {"module." + k: v + 1 for k, v in saved.items()},
        "model_ema": averaged.state_dict(), "optimizer": optimizer.state_dict(), "rng": torch.arange(4, dtype=torch.uint8),
    }
    torch.save(checkpoint, folder / "checkpoint.pth")
    torch.save(checkpoint, folder / "checkpoint-first-format.pth", _use_new_zipfile_serialization=False)
    torch.save(net, folder / "module.pth")
    if onnx:
        export(net, folder / "torch.onnx", optimize=False)
        export(net, folder / "torch-folded.onnx", optimize=True)


def export(net, file, optimize):
    """Without the traces of the program that the exporter notes at each node."""
    import onnx
    torch.onnx.export(net, (torch.ones(2, 3, 5, 5),), file, dynamo=True, external_data=False, optimize=optimize,
                      verbose=False)
    model = onnx.load(file)
    for part in [model.graph, *model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info,
                 *model.graph.initializer]:
        del part.metadata_props[:]
    del model.functions[:]
    onnx.save(model, file)


def nets(folder):
    from safetensors.torch import save_file
    from torchvision import models
    for name in ["resnet18", "efficientnet_b0"]:
        torch.manual_seed(1)
        net = getattr(models, name)(num_classes=10)
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
        state = net.state_dict()
        torch.save(state, folder / f"{name}.pth")
        torch.save(state, folder / f"{name}-first-format.pth", _use_new_zipfile_serialization=False)
        save_file(state, folder / f"{name}.safetensors")
        half = {k: v.bfloat16() if v.is_floating_point() else v for k, v in state.items()}
        torch.save(half, folder / f"{name}-bf16.pth")
        save_file(half, folder / f"{name}-bf16.safetensors")


def load(file):
    if file.endswith(".safetensors"):
        from safetensors.torch import load_file
        return load_file(file)
    return torch.load(file, weights_only=True)


def compare(a, b):
    a, b = load(a), load(b)
    if a.keys() != b.keys():
        sys.exit(f"other names: {sorted(a.keys() ^ b.keys())[:5]}")
    for name, t in a.items():
        if t.shape != b[name].shape or not torch.equal(t.double(), b[name].double()):
            sys.exit(f"{name} differs")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["small", "nets", "compare"])
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--onnx", action="store_true")
    args = parser.parse_args()
    if args.what == "compare":
        compare(*args.paths)
    else:
        target = pathlib.Path(args.paths[0])
        target.mkdir(parents=True, exist_ok=True)
        small(target, args.onnx) if args.what == "small" else nets(target)
