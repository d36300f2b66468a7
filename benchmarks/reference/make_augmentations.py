"""Writes what torchvision's augmentation policies do to a pattern, for the tests: checksums, and the policies' tables.

    python benchmarks/reference/make_augmentations.py > src/test/resources/io/firn/data/torchvision-policies.txt
"""
import zlib

import numpy as np
import PIL
import torchvision
from PIL import Image
from torchvision.transforms import AutoAugment, AutoAugmentPolicy, InterpolationMode, RandAugment, TrivialAugmentWide
from torchvision.transforms.autoaugment import _apply_op

NEAREST = InterpolationMode.NEAREST


def pattern(h, w, c):
    i = np.arange(h * w * c, dtype=np.int64)
    a = ((i * 7919 + i * i % 251 * 31) % 256).astype(np.uint8)
    return a.reshape(h, w, c) if c == 3 else a.reshape(h, w)


def smooth(h, w, c):
    """Bright bows on dark, of few values: histograms with gaps, means off the middle."""
    y, x, k = np.mgrid[0:h, 0:w, 0:c]
    a = (40 + (3 * x * x + 2 * y * y + 5 * k * x) // 7 % 120).astype(np.uint8)
    return a if c == 3 else a[..., 0]


print(f"# What torchvision {torchvision.__version__} with Pillow {PIL.__version__} makes of patterns. Made by")
print("# benchmarks/reference/make_augmentations.py.")
print("# magnitude SPACE BINS H W OP SIGNED VALUES; op IMAGE H W CHANNELS OP VALUE CRC32; policy NAME OP P BIN OP P BIN")
for name, space, bins in (("narrow", lambda b, s: RandAugment()._augmentation_space(b, s), 31),
                          ("narrow", lambda b, s: AutoAugment()._augmentation_space(b, s), 10),
                          ("wide", lambda b, s: TrivialAugmentWide()._augmentation_space(b), 31)):
    for op, (magnitudes, signed) in space(bins, (33, 29)).items():
        if magnitudes.ndim:
            print("magnitude", name, bins, 33, 29, op, int(signed), *(f"{m.item():.9g}" for m in magnitudes))
values = {"Identity": [0], "ShearX": [0, .09, -.3, .99, -.66], "ShearY": [.09, -.3, .99], "TranslateX": [3.7, -9.2, 32],
          "TranslateY": [3.7, -9.2, 32], "Rotate": [0, 9, -30, 90, 135, -121.5, 45], "Brightness": [.27, -.9, .99],
          "Color": [.27, -.9, .99], "Contrast": [.27, -.9, .99, 0], "Sharpness": [.27, -.9, .99], "Posterize": [8, 5, 2],
          "Solarize": [255, 178.5, 0, 76.5], "AutoContrast": [0], "Equalize": [0], "Invert": [0]}
for kind, make in (("pattern", pattern), ("smooth", smooth)):
    for h, w, c in ((33, 29, 3), (28, 28, 1), (2, 5, 3), (64, 64, 3)):
        image = Image.fromarray(make(h, w, c))
        for op, magnitudes in values.items():
            for m in magnitudes:
                out = _apply_op(image, op, m, NEAREST, None)
                print("op", kind, h, w, c, op, float(m), zlib.crc32(np.asarray(out).tobytes()))
for name, policy in (("imagenet", AutoAugmentPolicy.IMAGENET), ("cifar_10", AutoAugmentPolicy.CIFAR10)):
    for pair in AutoAugment(policy).policies:
        print("policy", name, *(str(part or 0) for step in pair for part in step))
