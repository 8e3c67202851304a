"""Folders of images to measure speed on, made of real ones; the same for the same seed, to the last byte.

python -m tests.benchmarks.speed.make_images photos --out FOLDER --fashion-mnist FOLDER

| kind    | what is made |
|---------|---|
| photos  | JPEGs of 400x300: an article of clothing, tinted and turned, before a faint part of a photograph |
| large   | the same, of 3000x2000 |
| fashion | Fashion-MNIST as it is, enlarged to `--size` pixels |

The clothes are Fashion-MNIST's (Debian's package dataset-fashion-mnist, `make bench-data` fetches it), the photographs
come with scikit-learn. Without Fashion-MNIST its place is taken by scikit-learn's handwritten digits, and made.json and
every table made from it say so.

A test folder is made besides train and val, of one image of each class: ftcli measures the test images once at the
end, and where there are none it takes them off train, which would leave it fewer images to train on than its peers.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

KINDS = ("photos", "large", "fashion")
SIZES = {"photos": (400, 300), "large": (3000, 2000)}
QUALITY = 90
FASHION = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")
_WALL, _SHARE_OF_SCENE = (60, 60, 60), 0.25
"""The photograph is faint, as on a patterned wall: random features tell the clothes before it apart."""
MADE = "made.json"
"""What a folder was made of; written last, so that its presence says that the folder is whole."""


@dataclass(frozen=True)
class Source:
    """Small grey images (N, H, W) of ten classes, bright on black."""

    name: str
    images: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Wanted:
    """What a folder is to hold."""

    kind: str
    counts: Mapping[str, int]
    """Images by stream: train, val, test."""
    seed: int = 0
    size: int = 96
    """Side of the images of kind fashion."""


def read_source(fashion: Path | None) -> Source:
    """Fashion-MNIST out of the folder, or out of one below it; digits where there is none."""
    found = sorted(fashion.rglob("train-images-idx3-ubyte.gz")) if fashion else []
    if not found:
        return _digits()
    labels = found[0].with_name("train-labels-idx1-ubyte.gz")
    pixels = np.frombuffer(gzip.decompress(found[0].read_bytes()), np.uint8, offset=16)
    numbers = np.frombuffer(gzip.decompress(labels.read_bytes()), np.uint8, offset=8)
    return Source("Fashion-MNIST", pixels.reshape(-1, 28, 28), numbers, FASHION)


def _digits() -> Source:
    from sklearn.datasets import load_digits

    found = load_digits()
    images = (found.images * (255 / 16)).astype(np.uint8)
    return Source("digits of scikit-learn", images, found.target, tuple("0123456789"))


def make_images(out: Path, wanted: Wanted, source: Source) -> Path:
    """The folder, made unless it is there already and was made of the same."""
    record = {"source": source.name, "kind": wanted.kind, "counts": dict(wanted.counts), "seed": wanted.seed}
    record["pixels"] = SIZES.get(wanted.kind, (wanted.size, wanted.size))
    told = json.dumps(record, indent=1)
    if (out / MADE).exists() and (out / MADE).read_text() == told:
        return out
    shutil.rmtree(out, ignore_errors=True)
    photographs = _photographs()
    for stream, number, index in _drawn(wanted, source):
        name = source.classes[source.labels[index]]
        path = out / stream / name / f"{number:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng([wanted.seed, number])
        path.write_bytes(_jpeg(_drawing(source.images[index], wanted, photographs, rng)))
    (out / MADE).write_text(told)
    return out


def _drawn(wanted: Wanted, source: Source) -> Iterator[tuple[str, int, int]]:
    """Stream, running number and index in the source: the classes in turn, no image twice while there are others."""
    rng = np.random.default_rng(wanted.seed)
    of_class = [rng.permutation(np.flatnonzero(source.labels == c)) for c in range(len(source.classes))]
    number = 0
    for stream, count in wanted.counts.items():
        for _ in range(count):
            members = of_class[number % len(of_class)]
            yield stream, number, int(members[number // len(of_class) % len(members)])
            number += 1


def _drawing(
    grey: np.ndarray, wanted: Wanted, photographs: list[Image.Image], rng: np.random.Generator
) -> Image.Image:
    small = Image.fromarray(grey)
    if wanted.kind == "fashion":
        return small.resize((wanted.size, wanted.size), Image.Resampling.BICUBIC).convert("RGB")
    size = SIZES[wanted.kind]
    scene = _part_of(photographs[rng.integers(len(photographs))], size, rng)
    scene = Image.blend(Image.new("RGB", size, _WALL), scene, _SHARE_OF_SCENE)
    side = int(size[1] * rng.uniform(0.8, 0.95))
    shape = small.resize((side, side), Image.Resampling.BICUBIC)
    shape = shape.rotate(rng.uniform(-10, 10), Image.Resampling.BILINEAR)
    tint = rng.uniform(0.8, 1.0, 3)
    coloured = np.asarray(shape, np.float32)[..., None] * tint
    seen = shape.point([min(255, 4 * level) for level in range(256)])
    place = int(rng.integers(size[0] - side + 1)), int(rng.integers(size[1] - side + 1))
    scene.paste(Image.fromarray(coloured.astype(np.uint8)), place, seen)
    return scene


def _part_of(photograph: Image.Image, size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """A part of a photograph, of the same shape as `size`, enlarged or reduced to it."""
    share = rng.uniform(0.4, 0.9)
    height = photograph.height * share
    width = min(height * size[0] / size[1], photograph.width)
    x, y = rng.uniform(0, photograph.width - width), rng.uniform(0, photograph.height - height)
    return photograph.resize(size, Image.Resampling.BICUBIC, box=(x, y, x + width, y + height))


def _photographs() -> list[Image.Image]:
    from sklearn.datasets import load_sample_images

    return [Image.fromarray(pixels) for pixels in load_sample_images().images]


def _jpeg(image: Image.Image) -> bytes:
    packed = io.BytesIO()
    image.save(packed, "JPEG", quality=QUALITY)
    return packed.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--fashion-mnist", type=Path, help="a folder with train-images-idx3-ubyte.gz below it"
    )
    parser.add_argument("--train", type=int, default=400)
    parser.add_argument("--val", type=int, default=100)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    counts = {"train": given.train, "val": given.val, "test": 10}
    source = read_source(given.fashion_mnist)
    made = make_images(given.out, Wanted(given.kind, counts, given.seed, given.size), source)
    print(f"{made}: {counts} of {source.name}")


if __name__ == "__main__":
    main()
