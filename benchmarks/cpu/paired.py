"""Runs `firn bench` and PyTorch's step in alternation on the CPU and writes what came out, losses included.

Each case (model and precision) first tries PyTorch eager and compiled, with OpenMP's waiting passive and active, and
keeps the fastest; its allocator is told to keep memory, which alone is worth up to 1.8x. Then Firn and the peer run
as fresh processes, A B A B, so that a neighbour's load meets both. Results go to benchmarks/results/NAME.json and
NAME.md. Firn's numbers come from `firn bench --json`; peak memory of both is the kernel's count for the process tree's
largest member. Memory beyond the idle process is measured apart, the peer's allocator untuned: keeping memory costs
memory. With parts frozen, Firn also trains the whole once, to hold the saving that the plans predict to the measured one.

    python benchmarks/cpu/paired.py --models resnet18,resnet50 --precisions fp32,bf16 --rounds 5
"""
import argparse
import itertools
import json
import os
import platform
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PEER = "benchmarks/cpu/pytorch_step.py"
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "8589934592", "MALLOC_TRIM_THRESHOLD_": "17179869184",
             "MALLOC_TOP_PAD_": "268435456"}
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_tile")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default="resnet18,resnet50,efficientnet_b0")
    parser.add_argument("--precisions", default="fp32,bf16")
    parser.add_argument("--mode", choices=("train", "infer"), default="train")
    parser.add_argument("--freeze", default="none", help="as firn bench: none, head, until:MODULE")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--resolution", type=int, default=224)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=5, help="runs of each side per case")
    parser.add_argument("--steps", type=int, default=10, help="timed steps per run")
    parser.add_argument("--warmup", type=int, default=10, help="untimed steps")
    parser.add_argument("--peer-modes", default="eager,compile")
    parser.add_argument("--peer-waits", default="passive,active", help="values of OMP_WAIT_POLICY tried for the peer")
    parser.add_argument("--firn", default="./firn", help="command that starts Firn, run at the project's root")
    parser.add_argument("--python", default=sys.executable, help="interpreter that has torch and torchvision")
    parser.add_argument("--name", help="of the result files (default: from mode, batch and resolution)")
    return parser.parse_args()


def run(command, environment):
    """The JSON document that the command prints, with its peak resident memory added."""
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stdout=output,
                                   stderr=subprocess.PIPE, text=True)
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode:
        sys.exit(f"{shlex.join(command)} failed with {process.returncode}:\n{errors[-2000:]}")
    return json.loads(text) | {"peak_mb": round(usage.ru_maxrss / 1024)}


def firn_command(options, model, precision, freeze):
    optimizer = ["--optimizer", "sgd"] if options.mode == "train" else []  # as pytorch_step.py
    return [*shlex.split(options.firn), "bench", "--json", "--device", "cpu", "--mode", options.mode, *optimizer,
            "--model", model, "--freeze", freeze, "--precision", precision, "--batch", str(options.batch),
            "--resolution", str(options.resolution), "--threads", str(options.threads), "--steps", str(options.steps)]


def peer_command(options, model, precision, mode):
    command = [options.python, PEER, "--model", model, "--precision", precision, "--mode", mode,
               "--freeze", options.freeze, "--batch", str(options.batch), "--resolution", str(options.resolution),
               "--threads", str(options.threads), "--steps", str(options.steps), "--warmup", str(options.warmup)]
    return command + ["--infer"] if options.mode == "infer" else command


def tune_peer(options, model, precision):
    """The fastest command and environment for the peer, and all rates that were tried."""
    tried = []
    for mode, wait in itertools.product(options.peer_modes.split(","), options.peer_waits.split(",")):
        command = peer_command(options, model, precision, mode)
        environment = ALLOCATOR | {"OMP_WAIT_POLICY": wait, "OMP_NUM_THREADS": str(options.threads)}
        rate = run(command, environment)["images_per_s"]["median"]
        print(f"{model} {precision}: peer {mode}, {wait} waiting: {rate} images/s", file=sys.stderr)
        tried.append({"mode": mode, "wait": wait, "images_per_s": rate, "command": command, "environment": environment})
    return max(tried, key=lambda each: each["images_per_s"]), tried


def summary(runs):
    rates = [each["images_per_s"]["median"] for each in runs]
    return {"images_per_s": {"median": statistics.median(rates), "min": min(rates), "max": max(rates)},
            "peak_mb": statistics.median(each["peak_mb"] for each in runs), "runs": runs}


def compare(options, model, precision):
    peer, tried = tune_peer(options, model, precision)
    command = firn_command(options, model, precision, options.freeze)
    pairs = []
    for turn in range(options.rounds):
        pairs.append((run(command, {}), run(peer["command"], peer["environment"])))
        rates = [each["images_per_s"]["median"] for each in pairs[-1]]
        print(f"{model} {precision} round {turn + 1}: Firn {rates[0]}, PyTorch {rates[1]} images/s", file=sys.stderr)
    ratios = [a["images_per_s"]["median"] / b["images_per_s"]["median"] for a, b in pairs]
    firn_runs, peer_runs = map(list, zip(*pairs))
    untuned = run(peer["command"], {})
    extra = {"saving": saving(options, model, precision, firn_runs)} if options.freeze != "none" else {}
    return extra | {"model": model, "precision": precision, "firn": summary(firn_runs), "pytorch": summary(peer_runs),
            "beyond_idle_mb": {"firn": round(statistics.median(each["memory_bytes"] for each in firn_runs) / 2 ** 20),
                               "pytorch": round(untuned["rss_mb_peak"] - untuned["rss_mb_idle"])},
            "ratio": {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios)},
            "firn_command": shown(command), "pytorch_command": shown(peer["command"], peer["environment"]),
            "pytorch_tried": [{key: each[key] for key in ("mode", "wait", "images_per_s")} for each in tried]}


def saving(options, model, precision, frozen):
    """The share of the whole net's step that freezing saves: as the plans predict, and as measured."""
    whole = run(firn_command(options, model, precision, "none"), {})
    return {"predicted": 1 - frozen[0]["predicted_ms"] / whole["predicted_ms"],
            "measured": 1 - statistics.median(each["step_ms"]["median"] for each in frozen) / whole["step_ms"]["median"],
            "whole": whole}


def shown(command, environment=()):
    """A command line to copy, without this machine's paths."""
    program = "python" if command[1] == PEER else command[0]
    return " ".join([f"{key}={environment[key]}" for key in environment] + [shlex.join([program, *command[1:]])])


def machine():
    def field(name, text):
        match = re.search(rf"^{name}:\s*(.+)$", text, re.MULTILINE)
        return match.group(1) if match else "unknown"

    lscpu = subprocess.run(["lscpu"], capture_output=True, text=True, env=os.environ | {"LC_ALL": "C"}).stdout
    present = field("Flags", lscpu).split()
    return {"cpu": field("Model name", lscpu), "cores": os.cpu_count(), "kernel": platform.release(),
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2 ** 30),
            "flags": [flag for flag in FLAGS if flag in present], "load_at_start": round(os.getloadavg()[0], 2)}


def versions(options):
    script = "import torch, torchvision, json; print(json.dumps([torch.__version__, torchvision.__version__]))"
    torch, torchvision = json.loads(subprocess.check_output([options.python, "-c", script]))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    return {"firn": commit.strip() or "unknown", "torch": torch, "torchvision": torchvision}


def table(document):
    host, used, options = document["machine"], document["versions"], document["options"]
    what = "Training step" if options["mode"] == "train" else "Inference"
    rows = [f"# {what}: Firn and PyTorch on {host['cpu']}", "",
            f"{host['cores']} cores ({', '.join(host['flags'])}), {host['memory_gib']} GiB, "
            f"{options['threads']} threads, load {host['load_at_start']} at start. "
            f"Batch {options['batch']}, {options['resolution']} px, frozen: {options['freeze']}. "
            f"Firn {used['firn']}, torch {used['torch']}, torchvision {used['torchvision']}. "
            f"Medians of {options['rounds']} alternating runs of {options['steps']} steps (least to most); "
            "the ratio is the median of the pairs' ratios, above 1 where Firn is faster.", "",
            "| model | precision | Firn images/s | PyTorch images/s | ratio | slower | peak MB, Firn / PyTorch "
            "| MB beyond idle, PyTorch untuned |", "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    for case in document["cases"]:
        rate = {side: "{median:.1f} ({min:.1f}–{max:.1f})".format(**case[side]["images_per_s"])
                for side in ("firn", "pytorch")}
        ratio = case["ratio"]
        slower = "Firn" if ratio["max"] < 1 else "PyTorch" if ratio["min"] > 1 else "not settled"
        rows.append(f"| {case['model']} | {case['precision']} | {rate['firn']} | {rate['pytorch']} "
                    f"| {ratio['median']:.2f} ({ratio['min']:.2f}–{ratio['max']:.2f}) | {slower} "
                    f"| {case['firn']['peak_mb']:.0f} / {case['pytorch']['peak_mb']:.0f} "
                    f"| {case['beyond_idle_mb']['firn']} / {case['beyond_idle_mb']['pytorch']} |")
    if options["freeze"] != "none":
        rows += ["", "Share of the whole net's step that freezing saves:", ""]
        rows += [f"- {case['model']} {case['precision']}: {case['saving']['predicted']:.1%} predicted by the plans, "
                 f"{case['saving']['measured']:.1%} measured" for case in document["cases"]]
    rows += ["", "PyTorch's rates while tuning it (images/s):", ""]
    rows += ["- {} {}: {}".format(case["model"], case["precision"], ", ".join(
        f"{each['mode']} {each['wait']} {each['images_per_s']:.1f}" for each in case["pytorch_tried"]))
        for case in document["cases"]]
    rows += ["", "```"]
    rows += [line for case in document["cases"] for line in (case["firn_command"], case["pytorch_command"])]
    return "\n".join(rows + ["```", ""])


def main():
    options = parse()
    document = {"machine": machine(), "versions": versions(options),
                "options": {key: getattr(options, key) for key in
                            ("mode", "freeze", "batch", "resolution", "threads", "rounds", "steps", "warmup")}, "cases": []}
    folder = ROOT / "benchmarks/results"
    folder.mkdir(parents=True, exist_ok=True)
    frozen = "" if options.freeze == "none" else "-freeze-" + options.freeze.replace(":", "-")
    name = options.name or f"cpu-{options.mode}{frozen}-b{options.batch}-r{options.resolution}"
    for model, precision in itertools.product(options.models.split(","), options.precisions.split(",")):
        document["cases"].append(compare(options, model, precision))
        (folder / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
        (folder / f"{name}.md").write_text(table(document))


if __name__ == "__main__":
    main()
