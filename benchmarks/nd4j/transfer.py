"""Times DL4J's transfer learning and Firn's in alternation: ResNet-50, 224 pixels, fp32, all but the classifier frozen.

    python benchmarks/nd4j/transfer.py [--freeze head|none] [--batch 16] [--rounds 3] [--steps 5] [--profile nd4j-native]

Build Firn first. Fresh processes, A B A B; results go to benchmarks/results/dl4j-resnet50-FREEZE.json and .md.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "cpu"))
from paired import ROOT, machine, run  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--freeze", choices=("head", "none"), default="head")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--profile", choices=("nd4j-native", "nd4j-cuda"), default="nd4j-native")
    parser.add_argument("--device", default="cpu", help="Firn's")
    options = parser.parse_args()
    # Java alone is timed, not Maven around it, which also writes to standard output.
    subprocess.run(["mvn", "-B", "-q", f"-P{options.profile}", "compile",
                    "org.apache.maven.plugins:maven-dependency-plugin:3.11.0:build-classpath",
                    "-Dmdep.outputFile=target/classpath"], cwd=HERE, check=True, stdout=subprocess.DEVNULL)
    libraries = (HERE / "target/classpath").read_text().strip()
    dl4j = ["java", "-Xmx4g", "-Dorg.bytedeco.javacpp.maxphysicalbytes=0", "-cp", f"{HERE / 'target/classes'}:{libraries}",
            "TransferStep", options.freeze, str(options.batch), str(options.steps), "3"]
    firn = ["./firn", "bench", "--json", "--device", options.device, "--model", "resnet50", "--freeze", options.freeze,
            "--batch", str(options.batch), "--resolution", "224", "--precision", "fp32", "--optimizer", "sgd",
            "--steps", str(options.steps)]
    host = machine()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    waiting = {"OMP_NUM_THREADS": str(os.cpu_count())}
    pairs = [(run(firn, {}), run(dl4j, waiting)) for _ in range(options.rounds)]
    rates = [[each["images_per_s"]["median"] for each in pair] for pair in pairs]
    ratios = sorted(ours / theirs for ours, theirs in rates)
    ours, theirs = zip(*rates)
    name = ROOT / f"benchmarks/results/dl4j-resnet50-{options.freeze}"
    name.with_suffix(".json").write_text(json.dumps({"machine": host, "firn": commit, "pairs": pairs}, indent=1) + "\n")
    name.with_suffix(".md").write_text(f"""# ResNet-50, frozen: {options.freeze}: Firn and DL4J 1.0.0-M2.1 on {host['cpu']}

{host['cores']} cores, load {host['load_at_start']} at start. Batch {options.batch}, 224 px, fp32, {pairs[0][1]['backend']}. Firn \
{commit}. Medians of {options.rounds} alternating runs of {options.steps} steps (least to most).

| Firn images/s | DL4J images/s | ratio | peak MB, Firn / DL4J |
| --- | --- | --- | --- |
| {statistics.median(ours):.1f} ({min(ours):.1f}–{max(ours):.1f}) | {statistics.median(theirs):.2f} \
({min(theirs):.2f}–{max(theirs):.2f}) | {statistics.median(ratios):.1f} ({ratios[0]:.1f}–{ratios[-1]:.1f}) | \
{statistics.median(a['peak_mb'] for a, _ in pairs):.0f} / {statistics.median(b['peak_mb'] for _, b in pairs):.0f} |

```
python benchmarks/nd4j/transfer.py --freeze {options.freeze} --batch {options.batch} --rounds {options.rounds} \
--steps {options.steps} --profile {options.profile}
```
""")
    print(name.with_suffix(".md").read_text())


if __name__ == "__main__":
    main()
