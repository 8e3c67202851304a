"""How far do sets of images lie from photographs, where anybody can say which lies farther?

python -m tests.benchmarks.domain_distance [--fashion-mnist FOLDER] [--emoji PACKAGE ...] [--backbone NAME] [--layers]

FOLDER holds t10k-images-idx3-ubyte.gz. A PACKAGE is an unpacked emoji-datasource package: img/NAME/64/*.png. Prints,
for each set, the mean divergence over all BatchNorms, over the first, middle and last third of them, and the distance
from 0 to 1. The first and the last line of the table are the anchors of planner/domain_scale.py.
"""

from __future__ import annotations

import argparse
import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from ftcli.engine.domain_distance import layer_distances
from ftcli.engine.network import Network
from ftcli.engine.reference_images import batches_of, noise, photographs
from ftcli.plans.domain_distance import Anchors, LayerDistance, mean_divergence
from ftcli.recipe.load import recipe_from
from ftcli.workflows.open_network import open_network

Images = list[Image.Image]


def sets(fashion: Path | None, emoji: list[Path], count: int) -> Iterator[tuple[str, Images]]:
    """From what is plainly near to what is plainly far, the anchors first and last."""
    crops = photographs(count)
    yield "photographs", crops
    yield "photographs, gray", [image.convert("L") for image in crops]
    yield "a temple alone", photographs(2 * count)[::2]
    yield "a flower alone", photographs(2 * count)[1::2]
    for package in emoji:
        folder = next((package / "img").glob("*/64"))
        yield f"emoji, {folder.parent.name}", drawings(sorted(folder.glob("*.png")), count)
    yield "photographs, edges", [image.convert("L").filter(ImageFilter.FIND_EDGES) for image in crops]
    if fashion:
        yield "Fashion-MNIST", gray_images(fashion / "t10k-images-idx3-ubyte.gz", count)
    yield "photographs, 16 pixels", [image.resize((16, 16)).resize((224, 224)) for image in crops]
    yield "digits", digits(count)
    yield "flat gray", [Image.new("RGB", (224, 224), (128, 128, 128))] * 4
    yield "noise", noise(count)


def drawings(files: list[Path], count: int) -> Images:
    """From all over the package, on white."""
    chosen = [Image.open(file).convert("RGBA") for file in files[:: len(files) // count][:count]]
    white = [Image.new("RGBA", image.size, "white") for image in chosen]
    return [Image.alpha_composite(w, image).convert("RGB") for w, image in zip(white, chosen, strict=True)]


def gray_images(file: Path, count: int) -> Images:
    """The first of an IDX file."""
    with gzip.open(file) as packed:
        pixels = np.frombuffer(packed.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    return [Image.fromarray(image) for image in pixels[:count]]


def digits(count: int) -> Images:
    from sklearn.datasets import load_digits

    return [Image.fromarray((image * 255 / 16).astype(np.uint8)) for image in load_digits().images[:count]]


def pretrained(backbone: str) -> Network:
    recipe = recipe_from({"data": "digits", "model": {"backbone": backbone}, "strategy": "full"})
    return open_network(recipe, 10)


def row(name: str, layers: tuple[LayerDistance, ...], anchors: Anchors | None) -> str:
    third = len(layers) // 3
    parts = (layers, layers[:third], layers[third:-third], layers[-third:])
    numbers = "".join(f"{mean_divergence(part):9.4f}" for part in parts)
    return f"{name:<24}{numbers}" + (f"{anchors.scaled(mean_divergence(layers)):10.2f}" if anchors else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--fashion-mnist", type=Path)
    parser.add_argument("--emoji", type=Path, action="append", default=[])
    parser.add_argument("--backbone", default="timm/tf_efficientnet_lite0")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--layers", action="store_true")
    asked = parser.parse_args()
    network = pretrained(asked.backbone)
    measured = {
        name: layer_distances(network, batches_of(images, network.preprocessing))
        for name, images in sets(asked.fashion_mnist, asked.emoji, asked.images)
    }
    anchors = Anchors(mean_divergence(measured["photographs"]), mean_divergence(measured["noise"]))
    print(f"{asked.backbone}, {asked.images} images of each set\n")
    print(f"{'':<24}{'all':>9}{'first':>9}{'middle':>9}{'last':>9}{'distance':>10}")
    for name, layers in measured.items():
        print(row(name, layers, anchors))
        if asked.layers:
            print(*(f"    {layer.name:<24}{layer.divergence:.4f}" for layer in layers), sep="\n")


if __name__ == "__main__":
    main()
