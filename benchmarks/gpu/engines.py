"""Asks cuDNN for an engine for every launch of the plans of many models, and prints a table; needs cuDNN, but no GPU.

What was found is kept in Firn's cache, so that only the first run takes its hours. Ends with status 1 where a launch has no
engine, and with 2 where there is no cuDNN to ask.

    FIRN_CUDA_LIBS=DIR python benchmarks/gpu/engines.py > benchmarks/results/gpu-engines.md
"""
import argparse
import itertools
import json
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODELS = ("resnet18", "resnet50", "resnet152", "resnext50_32x4d", "efficientnet_b0", "efficientnet_b4", "efficientnet_b7",
          "efficientnet_v2_s")
MISSING = "has no engine"


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--targets", default="h100,a100")
    parser.add_argument("--precisions", default="bf16,fp16")
    parser.add_argument("--batch", type=int, default=32, help="it has to fit: 32 does for all of them at their resolution")
    parser.add_argument("--firn", default="./firn", help="command that starts Firn, run at the project's root")
    return parser.parse_args()


def ask(options, model, target, precision):
    """The plan, as `firn plan --json` prints it."""
    command = [*shlex.split(options.firn), "plan", model, "--target", target, "--precision", precision, "--batch",
               str(options.batch), "--engines", "ask", "--json"]
    process = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if process.returncode:
        sys.exit(f"{shlex.join(command)} failed with {process.returncode}")
    return json.loads(process.stdout)


def row(plan):
    """(cuDNN's launches, those without an engine, those that were not asked for, MB an image)."""
    kernels = [launch["kernel"] for launch in plan["launches"] if launch["kernel"].startswith("cudnn:")]
    missing = [kernel for kernel in kernels if kernel.endswith(MISSING)]
    open_ones = [kernel for kernel in kernels if kernel == "cudnn:graph"]
    moved = sum(launch["bytes"] for launch in plan["launches"])
    return len(kernels), len(missing), len(open_ones), moved / 1e6 / plan["batch"]


def main():
    options = parse()
    missing = 0
    begun = False
    for case in itertools.product(options.models.split(","), options.targets.split(","), options.precisions.split(",")):
        plan = ask(options, *case)
        launches, without, not_asked, moved = row(plan)
        if not_asked:
            sys.exit(2)
        if not begun:
            print(f"`{shlex.join(['python', *sys.argv])}`: {plan['kernels']}\n")
            print("| model | target | precision | batch, px | launches of cuDNN | without an engine | MB an image |")
            print("| --- | --- | --- | --- | --- | --- | --- |")
            begun = True
        missing += without
        print(f"| {' | '.join(case)} | {plan['batch']}, {plan['resolution']} | {launches} | {without} | {moved:.1f} |",
              flush=True)
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
