"""The loop of torchvision's reference scripts, in one process: Pillow decodes, torchvision resizes; bytes, not yet tensors.

    python torchvision_loader.py FOLDER SECONDS

Prints a line of JSON.
"""
import itertools
import json
import pathlib
import sys
import time

import torch
from PIL import Image
from torchvision import transforms


def main():
    torch.set_num_threads(1)
    files = sorted(pathlib.Path(sys.argv[1]).rglob("*.jpg"))
    seconds = float(sys.argv[2])
    centre = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224)])
    varied = transforms.Compose([transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip()])
    stages = {"decode": lambda image: image, "decode+resize": centre, "decode+resize+augment": varied}
    result = {}
    for name, transform in stages.items():
        start, cpu, images = time.perf_counter(), time.process_time(), 0
        for file in itertools.cycle(files):
            transform(Image.open(file).convert("RGB"))
            images += 1
            if time.perf_counter() - start > seconds:
                break
        result[name] = {"images_per_s": images / (time.perf_counter() - start),
                        "per_cpu_second": images / (time.process_time() - cpu)}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
