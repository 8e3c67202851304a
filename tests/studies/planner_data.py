"""The data of the planner's study: labelled pictures from several sources, written as the folders that users have."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

NUM_TEST = 990
"""The same for every size and seed of a source: of 1,797 digits 800 are left to train on."""


@dataclass(frozen=True)
class Pictures:
    """`load(index)` gives a picture, `labels` all of their classes. `flip`: a mirror image is of the same class."""

    labels: Sequence[str]
    load: Callable[[int], Image.Image]
    flip: bool = True


def digits() -> Pictures:
    """scikit-learn's handwritten digits, 8 pixels wide."""
    from sklearn.datasets import load_digits

    found = load_digits()
    pixels = (found.images * 255 / 16).astype(np.uint8)
    labels = [str(label) for label in found.target]
    return Pictures(labels, lambda index: Image.fromarray(pixels[index]), flip=False)


def fashion(folder: Path) -> Pictures:
    """Of a folder in which, or below which, the four files of Fashion-MNIST lie, the training images."""
    images = next(folder.rglob("train-images-idx3-ubyte.gz"))
    pixels = _idx(images, 16).reshape(-1, 28, 28)
    labels = _idx(images.with_name("train-labels-idx1-ubyte.gz"), 8)
    return Pictures([str(label) for label in labels], lambda index: Image.fromarray(pixels[index]))


def emoji_source(package: Path) -> str:
    """emoji-datasource-google, and the like."""
    return f"emoji-datasource-{_drawings(package).parent.name}"


def emoji(package: Path) -> Pictures:
    """Of an unpacked emoji-datasource package: a drawing's category, where that has 100 or more."""
    folder = _drawings(package)
    listed = json.loads((package / "emoji.json").read_text(encoding="utf-8"))
    drawn = [entry for entry in listed if (folder / entry["image"]).is_file()]
    counts = {entry["category"]: 0 for entry in drawn}
    for entry in drawn:
        counts[entry["category"]] += 1
    kept = [entry for entry in drawn if counts[entry["category"]] >= 100]
    return Pictures(
        [entry["category"].replace(" & ", " and ") for entry in kept],
        lambda index: _on_white(folder / kept[index]["image"]),
    )


def write_cell(pictures: Pictures, size: int, seed: int, folder: Path) -> None:
    """train/CLASS with `size` pictures drawn by `seed`, and test/CLASS with others, the same for every cell.

    Every class has three training pictures or more: `ftcli plan --data` splits them. Raises
    ValueError where there are too few pictures.
    """
    order = np.random.default_rng(0).permutation(len(pictures.labels))
    test, rest = order[:NUM_TEST], np.random.default_rng(1 + seed).permutation(order[NUM_TEST:])
    if size > len(rest):
        raise ValueError(f"{size} training pictures of {len(rest)}")
    labels = np.array(pictures.labels)
    first = np.concatenate([rest[labels[rest] == label][:3] for label in sorted(set(pictures.labels))])
    others = rest[~np.isin(rest, first)]
    train = np.concatenate([first, others])[: max(size, len(first))]
    for stream, indices in (("train", train), ("test", test)):
        for index in indices:
            target = folder / stream / pictures.labels[index] / f"{index:05}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            pictures.load(int(index)).save(target)


def _drawings(package: Path) -> Path:
    return next((package / "img").glob("*/64"))


def _idx(file: Path, header: int) -> np.ndarray:
    with gzip.open(file) as packed:
        return np.frombuffer(packed.read(), np.uint8, offset=header)


def _on_white(file: Path) -> Image.Image:
    drawing = Image.open(file).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", drawing.size, "white"), drawing).convert("RGB")
