"""How many JPEGs a second Firn, ImageIO and torchvision turn into 224x224 pixels, on one core, in the same minutes.

    python compare.py --data /tmp/photos --output ../results/input-jpeg-r224 [--rounds 3] [--seconds 6]

Build Firn first. DATA is a class folder, such as make_photos.py makes. Needs torchvision and Pillow.
"""
import argparse
import json
import os
import pathlib
import platform
import shlex
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
STAGES = ["decode", "decode+resize", "decode+resize+augment"]


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        sys.exit(f"{shlex.join(map(str, command))}: {done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1] if not done.stdout.startswith("{\n") else done.stdout)


def firn(data, augment, seconds):
    stages = run(["./firn", "bench", "--input", "--data", data, "--workers", "1", "--augment", augment, "--seconds",
                  seconds, "--json"])["stages"]
    return {s["name"]: {"images_per_s": s["images_per_s"], "per_cpu_second": s["per_cpu_second"]} for s in stages}


def firn_stages(data, seconds):
    plain, varied = firn(data, "none", seconds), firn(data, "standard", seconds)
    return {"decode": varied["decode"], "decode+resize": plain["decode+resize+augment"],
            "decode+resize+augment": varied["decode+resize+augment"]}


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--output", required=True, help="the result's path without its ending")
    parser.add_argument("--java", default="java", help="a JDK's java for ImageIO's loop")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", default="6")
    args = parser.parse_args()
    loaders = {
        "Firn": lambda: firn_stages(args.data, args.seconds),
        "torchvision": lambda: run([sys.executable, HERE / "torchvision_loader.py", args.data, args.seconds]),
        "ImageIO": lambda: run([args.java, HERE / "ImageIoLoader.java", args.data, args.seconds]),
    }
    load = os.getloadavg()[0]
    jdk = subprocess.run([args.java, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    rounds = [{name: measure() for name, measure in loaders.items()} for _ in range(args.rounds)]

    files = sorted(pathlib.Path(args.data).rglob("*.jpg"))
    size = statistics.mean(f.stat().st_size for f in files)
    import PIL
    import torchvision
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT).stdout.strip()
    lines = [f"# JPEG to 224x224 on one core of {processor()}", "",
             f"{len(files):,} files of 500x375, {size / 1000:.0f} kB on average; {os.cpu_count()} cores, load {load:.2f} at start. "
             f"Firn {commit}, torchvision {torchvision.__version__}, Pillow {PIL.__version__}, ImageIO of {jdk}. "
             f"{args.rounds} alternating rounds of {args.seconds} s a stage; median (least to most). Images for each second of "
             "processor time are what one undisturbed core yields; by the clock other load counts too.", "",
             "| stage | loader | images / CPU second | images/s by the clock |", "| --- | --- | --- | --- |"]
    for stage in STAGES:
        for name in loaders:
            if stage in rounds[0][name]:
                cell = []
                for key in ("per_cpu_second", "images_per_s"):
                    values = sorted(r[name][stage][key] for r in rounds)
                    cell.append(f"{statistics.median(values):.0f} ({values[0]:.0f}–{values[-1]:.0f})")
                lines.append(f"| {stage} | {name} | {cell[0]} | {cell[1]} |")
    lines += ["", "`decode+resize`: shorter side to 256, centre 224 (ImageIO's loop does not antialias); `augment`: a random "
              "resized crop and a mirror instead. ImageIO's loop has none.", "", "```",
              "python benchmarks/input/make_photos.py --output PHOTOS --count %d" % len(files),
              "python benchmarks/input/compare.py --data PHOTOS --rounds %d --seconds %s" % (args.rounds, args.seconds), "```", ""]
    output = pathlib.Path(args.output)
    output.with_suffix(".md").write_text("\n".join(lines))
    output.with_suffix(".json").write_text(json.dumps({"files": len(files), "mean_bytes": size, "load": load, "firn": commit,
                                                       "rounds": rounds}, indent=1) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
