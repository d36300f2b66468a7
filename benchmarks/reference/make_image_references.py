"""Makes a JPEG as a camera would, and what torchvision's presets make of it, for ReductionTest.

    python make_image_references.py ../../src/test/resources/io/firn/data/torchvision

The picture is noise of all sizes (its spectrum falls with the frequency, as that of photographs does) with a few sharp
edges. Needs torchvision, Pillow and numpy.
"""
import pathlib
import sys

import numpy as np
from PIL import Image, ImageDraw
from torchvision import transforms

HEIGHT, WIDTH = 384, 512


def picture():
    random = np.random.default_rng(1)
    y, x = np.meshgrid(np.fft.fftfreq(HEIGHT), np.fft.fftfreq(WIDTH), indexing="ij")
    falling = 1 / np.maximum(np.hypot(y, x), 1 / WIDTH) ** 1.2
    luma = np.fft.ifft2(np.fft.fft2(random.standard_normal((HEIGHT, WIDTH))) * falling).real
    channels = []
    for _ in range(3):
        own = np.fft.ifft2(np.fft.fft2(random.standard_normal((HEIGHT, WIDTH))) * falling).real
        mixed = luma / luma.std() + 0.4 * own / own.std()
        channels.append(np.clip(120 + 50 * mixed, 0, 255))
    image = Image.fromarray(np.stack(channels, -1).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for i in range(12):
        left, top = random.integers(0, WIDTH - 80), random.integers(0, HEIGHT - 80)
        draw.line((left, top, left + 75, top + 40 + 3 * i), fill=tuple(random.integers(0, 255, 3).tolist()), width=1 + i // 3)
    return image


def main():
    folder = pathlib.Path(sys.argv[1])
    file = folder / "photo.jpg"
    picture().save(file, quality=88)
    image = Image.open(file)
    for resize, crop in [(92, 80), (64, 56), (44, 40), (24, 22)]:
        preset = transforms.Compose([transforms.Resize(resize, antialias=True), transforms.CenterCrop(crop)])
        preset(image).save(folder / f"{resize}-{crop}.png")


if __name__ == "__main__":
    main()
