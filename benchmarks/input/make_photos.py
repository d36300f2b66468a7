"""Makes a class folder of photographs, 500x375, JPEG of quality 85 to 90 and 90 to 120 kB, as ImageNet's are.

The photographs are those of Debian's packages mate-backgrounds and ukui-wallpapers (GPL-2+, CC-BY-SA), which are fetched
with apt-get where no folder of photographs is given. Each image is a crop of one of them, at a scale, place, mirroring and
exposure of its own. Backgrounds are smoother than snapshots, so that their files are too small: grain as of a camera's
sensor is added, as much as the size of the file asks for. The same seed makes the same files.

    python make_photos.py --output /tmp/photos --count 10000 [--source FOLDER ...]

Needs Pillow and numpy.
"""
import argparse
import io
import multiprocessing
import pathlib
import random
import subprocess
import tempfile

import numpy as np
from PIL import Image, ImageEnhance

PACKAGES = ["mate-backgrounds", "ukui-wallpapers"]
WIDTH, HEIGHT = 500, 375
LEAST, MOST = 90_000, 120_000
CLASSES = 100


def unpacked_packages(folder):
    subprocess.run(["apt-get", "download", "-qq", *PACKAGES], cwd=folder, check=True)
    for package in pathlib.Path(folder).glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True)


def photographs(folders):
    """Each photograph, at most 2400 pixels wide: larger ones have nothing but blur at our size."""
    found = []
    for file in sorted(f for folder in folders for f in pathlib.Path(folder).rglob("*.jpg")):
        image = Image.open(file).convert("RGB")
        image.thumbnail((2400, 2400), Image.Resampling.LANCZOS)
        if image.width >= WIDTH and image.height >= HEIGHT:
            found.append(image)
    return found


def variation(image, draw):
    scale = draw.uniform(1.0, min(image.width / WIDTH, image.height / HEIGHT))
    width, height = int(WIDTH * scale), int(HEIGHT * scale)
    left, top = draw.randint(0, image.width - width), draw.randint(0, image.height - height)
    crop = image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS, (left, top, left + width, top + height))
    if draw.random() < 0.5:
        crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    crop = ImageEnhance.Brightness(crop).enhance(draw.uniform(0.8, 1.2))
    return ImageEnhance.Contrast(crop).enhance(draw.uniform(0.9, 1.6))


def encoded(image, quality):
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


def drawn(images, draw):
    """A file of the right size."""
    while True:
        pixels = np.asarray(variation(draw.choice(images), draw), dtype=np.float32)
        grain = np.random.default_rng(draw.getrandbits(32)).standard_normal((HEIGHT, WIDTH, 1), dtype=np.float32)
        quality, least, most = draw.randint(85, 90), 0.0, 30.0
        size = draw.randint(LEAST + 3000, MOST - 3000)
        for _ in range(8):
            sigma = (least + most) / 2
            jpeg = encoded(Image.fromarray(np.clip(pixels + sigma * grain, 0, 255).astype(np.uint8)), quality)
            if abs(len(jpeg) - size) <= 3000:
                return jpeg
            least, most = (sigma, most) if len(jpeg) < size else (least, sigma)


def make(task):
    number, output, seed = task
    jpeg = drawn(IMAGES, random.Random(f"{seed}/{number}"))
    (output / f"class_{number % CLASSES:03d}" / f"{number:06d}.jpg").write_bytes(jpeg)
    return len(jpeg)


def main():
    global IMAGES
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--source", action="append", help="a folder of photographs; may be given again")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for label in range(min(CLASSES, args.count)):
        (args.output / f"class_{label:03d}").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        if not args.source:
            unpacked_packages(folder)
        IMAGES = photographs(args.source or [folder])
    with multiprocessing.get_context("fork").Pool() as pool:
        sizes = pool.map(make, [(i, args.output, args.seed) for i in range(args.count)], chunksize=50)
    print(f"{len(sizes)} images from {len(IMAGES)} photographs, {min(sizes)} to {max(sizes)} bytes, "
          f"mean {sum(sizes) // len(sizes)}")


if __name__ == "__main__":
    main()
