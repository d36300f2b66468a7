"""Runs `firn bench` and PyTorch's step in turn on the same NVIDIA GPU and writes what came out, losses included.

Each case is a model, a precision, training or inference, whole or with a frozen part. PyTorch is first tried eager and
compiled, and the faster is kept. Then Firn and the peer run as fresh processes, A B A B, so that the card's temperature
and clock meet both. Results go to benchmarks/results/NAME.json and NAME.md, under the card's name. Without a card it says
so, measures nothing and ends with status 2.

    python benchmarks/gpu/paired.py --precisions bf16,fp16 --rounds 5
    python benchmarks/gpu/paired.py --dry        # the commands that it would run, one a line
"""
import argparse
import itertools
import json
import os
import platform
import re
import shlex
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PEER = "benchmarks/gpu/pytorch_step.py"
# What a "frozen" case freezes: the part that fine-tuning on a few thousand images usually does.
FROZEN = {"resnet": "until:layer4", "resnext": "until:layer4", "efficientnet": "until:features.6"}
NO_CARD = 2


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default="resnet50,efficientnet_b0,efficientnet_b4")
    parser.add_argument("--precisions", default="bf16,fp16")
    parser.add_argument("--modes", default="train,infer")
    parser.add_argument("--freezes", default="none,frozen", help="none, and frozen for a part; the latter in training only")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--resolution", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=5, help="runs of each side per case")
    parser.add_argument("--steps", type=int, default=50, help="timed steps per run")
    parser.add_argument("--warmup", type=int, default=20, help="untimed steps")
    parser.add_argument("--card", type=int, default=0, help="number of the GPU")
    parser.add_argument("--peer-modes", default="eager,compile")
    parser.add_argument("--firn", default="./firn", help="command that starts Firn, run at the project's root")
    parser.add_argument("--python", default=sys.executable, help="interpreter that has torch and torchvision")
    parser.add_argument("--name", help="of the result files (default: from card, batch and resolution)")
    parser.add_argument("--dry", action="store_true", help="print the commands and measure nothing")
    return parser.parse_args(arguments)


def cases(options):
    """Every (model, precision, mode, freeze) to measure."""
    for model, precision, mode, part in itertools.product(options.models.split(","), options.precisions.split(","),
                                                          options.modes.split(","), options.freezes.split(",")):
        if part == "none":
            yield model, precision, mode, "none"
        elif mode == "train":
            yield model, precision, mode, frozen(model)


def frozen(model):
    family = next((family for family in FROZEN if model.startswith(family)), None)
    return FROZEN[family] if family else sys.exit(f"--freezes frozen: it is not said what to freeze of {model}")


def shared(options, case):
    model, precision, _, freeze = case
    return ["--model", model, "--precision", precision, "--freeze", freeze, "--batch", str(options.batch), "--resolution",
            str(options.resolution), "--device", f"cuda:{options.card}", "--steps", str(options.steps), "--warmup",
            str(options.warmup)]


def firn_command(options, case):
    mode = case[2]
    optimizer = ["--optimizer", "sgd"] if mode == "train" else []  # as pytorch_step.py
    return [*shlex.split(options.firn), "bench", "--json", "--mode", mode, *optimizer, *shared(options, case)]


def peer_command(options, case, how):
    return [options.python, PEER, "--mode", how, *shared(options, case), *(["--infer"] if case[2] == "infer" else [])]


def commands(options):
    for case in cases(options):
        yield firn_command(options, case)
        for how in options.peer_modes.split(","):
            yield peer_command(options, case, how)


def parse_cards(text):
    """Rows of nvidia-smi's answer to QUERY."""
    rows = [[field.strip() for field in line.split(",")] for line in text.splitlines() if line.strip()]
    return [{"index": int(index), "name": name, "driver": driver, "memory_mib": int(memory), "power_limit_w": power}
            for index, name, driver, memory, power in rows]


QUERY = ["nvidia-smi", "--query-gpu=index,name,driver_version,memory.total,power.limit", "--format=csv,noheader,nounits"]


def card(options):
    """The GPU to measure; ends the process where there is none."""
    if not shutil.which(QUERY[0]):
        nothing("there is no nvidia-smi, so no NVIDIA driver")
    answer = subprocess.run(QUERY, capture_output=True, text=True)
    found = parse_cards(answer.stdout) if answer.returncode == 0 else []
    if options.card not in [each["index"] for each in found]:
        nothing(f"nvidia-smi lists no GPU {options.card}: {answer.stdout.strip() or answer.stderr.strip() or 'none at all'}")
    return next(each for each in found if each["index"] == options.card)


def nothing(why):
    print(f"{why}; nothing was measured", file=sys.stderr)
    sys.exit(NO_CARD)


def run(command):
    """The JSON document that the command prints."""
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if process.returncode:
        sys.exit(f"{shlex.join(command)} failed with {process.returncode}:\n{process.stderr[-2000:]}")
    return json.loads(process.stdout)


def rate(document):
    return document["images_per_s"]["median"]


def summary(runs):
    rates = [rate(each) for each in runs]
    return {"images_per_s": {"median": statistics.median(rates), "min": min(rates), "max": max(rates)},
            "memory_mb": round(statistics.median(each["memory_bytes"] for each in runs) / 1e6), "runs": runs}


def compare(options, case, run=run):
    tried = []
    for how in options.peer_modes.split(","):
        command = peer_command(options, case, how)
        tried.append({"mode": how, "images_per_s": rate(run(command)), "command": command})
    peer = max(tried, key=lambda each: each["images_per_s"])
    pairs = [(run(firn_command(options, case)), run(peer["command"])) for _ in range(options.rounds)]
    ratios = [rate(a) / rate(b) for a, b in pairs]
    firn_runs, peer_runs = map(list, zip(*pairs))
    return {**dict(zip(("model", "precision", "mode", "freeze"), case)), "firn": summary(firn_runs),
            "pytorch": summary(peer_runs),
            "ratio": {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios)},
            "pytorch_tried": [{key: each[key] for key in ("mode", "images_per_s")} for each in tried],
            "firn_command": shlex.join(firn_command(options, case)),
            "pytorch_command": shlex.join(["python", *peer["command"][1:]])}


def table(document):
    host, options = document["machine"], document["options"]
    rows = [f"# Firn and PyTorch on {host['card']['name']}", "",
            f"Driver {host['card']['driver']}, power limit {host['card']['power_limit_w']} W. Batch {options['batch']}, "
            f"{options['resolution']} px. {', '.join(f'{k} {v}' for k, v in document['versions'].items())}. Medians of "
            f"{options['rounds']} alternating runs of {options['steps']} steps (least to most); the ratio is the median of "
            "the pairs' ratios, above 1 where Firn is faster.", "",
            "| model | precision | what | frozen | Firn images/s | PyTorch images/s | PyTorch is | ratio | slower "
            "| memory MB, Firn / PyTorch |", "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
    for case in document["cases"]:
        rates = {side: "{median:.0f} ({min:.0f}–{max:.0f})".format(**case[side]["images_per_s"])
                 for side in ("firn", "pytorch")}
        ratio = case["ratio"]
        slower = "Firn" if ratio["max"] < 1 else "PyTorch" if ratio["min"] > 1 else "not settled"
        best = max(case["pytorch_tried"], key=lambda each: each["images_per_s"])["mode"]
        rows.append(f"| {case['model']} | {case['precision']} | {case['mode']} | {case['freeze']} | {rates['firn']} "
                    f"| {rates['pytorch']} | {best} | {ratio['median']:.2f} ({ratio['min']:.2f}–{ratio['max']:.2f}) "
                    f"| {slower} | {case['firn']['memory_mb']} / {case['pytorch']['memory_mb']} |")
    rows += ["", "```"]
    rows += [line for case in document["cases"] for line in (case["firn_command"], case["pytorch_command"])]
    return "\n".join(rows + ["```", ""])


def versions(options):
    script = "import torch, torchvision, json; print(json.dumps([torch.__version__, torchvision.__version__]))"
    torch, torchvision = json.loads(subprocess.check_output([options.python, "-c", script]))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    return {"Firn": commit.strip() or "unknown", "torch": torch, "torchvision": torchvision}


def main():
    options = parse()
    if options.dry:
        for command in commands(options):
            print(shlex.join(command))
        return
    found = card(options)
    document = {"machine": {"card": found, "cores": os.cpu_count(), "kernel": platform.release()},
                "versions": versions(options),
                "options": {key: getattr(options, key) for key in ("batch", "resolution", "rounds", "steps", "warmup")},
                "cases": []}
    folder = ROOT / "benchmarks/results"
    folder.mkdir(parents=True, exist_ok=True)
    short = re.sub(r"[^a-z0-9]+", "-", found["name"].lower().removeprefix("nvidia ")).strip("-")
    name = options.name or f"gpu-{short}-b{options.batch}-r{options.resolution}"
    for case in cases(options):
        document["cases"].append(compare(options, case))
        (folder / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
        (folder / f"{name}.md").write_text(table(document))


if __name__ == "__main__":
    main()
