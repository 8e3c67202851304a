"""Where does folding, and compiling, a frozen part pay? Images a second through whole backbones, three ways.

python -m tests.benchmarks.compiled [BACKBONE ...] [--precision fp32 bf16] [--batch-size 32] [--turns 7]

Random weights, random images of the backbone's own size. apart: the network's own code; folded: batch norms in the
convolutions before them; compiled: that, by inductor. The three take turns; medians. Then how long compiling took in
an empty folder, from how many images on it has paid for itself beside folding, and how far each way moves the features.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor

from ftcli.components.head import Linear
from ftcli.engine.build import build_network
from ftcli.engine.compiled import Programs
from ftcli.engine.folded import fold_below
from ftcli.engine.freeze import enter_eval_mode
from ftcli.engine.head_cut import cut_before_head, inputs_of
from ftcli.engine.inputs import noise, placed, ready
from ftcli.engine.memory import keep_freed_memory
from ftcli.engine.network import Network
from ftcli.engine.placement import place
from ftcli.engine.precision import autocast
from ftcli.plans.training_plan import Precision

Forward = Callable[[Tensor], Tensor]
BACKBONES = (
    "torchvision/resnet18",
    "torchvision/resnet50",
    "timm/tf_efficientnet_lite0",
    "timm/efficientnet_b0",
    "timm/mobilenetv3_large_100",
    "timm/vit_tiny_patch16_224",
)


def ways_of(network: Network, images_BCHW: Tensor) -> tuple[dict[str, Forward], Programs]:
    """uint8 images (B, 3, S, S) -> features, by the name of the way."""
    firsts, _ = cut_before_head(network)
    head = network.layer_map.layers[-1].index

    def logits(images_BCHW: Tensor) -> Tensor:
        inputs = network.preprocessing
        made: Tensor = network.model(ready(placed(images_BCHW, inputs, "cpu"), inputs))
        return made

    def features(forward: Forward) -> Forward:
        def run(images_BCHW: Tensor) -> Tensor:
            found = inputs_of(firsts, forward, images_BCHW)
            assert found is not None
            return found

        return run

    fold = fold_below(network, logits, head, images_BCHW[:4], "")
    folded = features(fold.applied(logits))
    programs = Programs(len(images_BCHW), "cpu", lambda event: None)
    compiled = programs.way("", folded)
    return {"apart": features(logits), "folded": folded, "compiled": compiled}, programs


@torch.no_grad()
def measured(backbone: str, precision: Precision, batch_size: int, turns: int) -> str:
    network = build_network(backbone, "none", Linear(), 10, image_size=None, seed=0)
    place(network.model, "cpu")
    enter_eval_mode(network)
    images_BCHW = noise(network.preprocessing, batch_size)
    ways, programs = ways_of(network, images_BCHW)
    exact = ways["apart"](images_BCHW)
    took: dict[str, list[float]] = {name: [] for name in ways}
    with autocast(precision, "cpu"):
        errors = {name: _error(way(images_BCHW), exact) for name, way in ways.items()}
        for _ in range(turns):
            for name, way in ways.items():
                started = time.perf_counter()
                way(images_BCHW)
                took[name].append(time.perf_counter() - started)
    each = {name: median(seconds) / batch_size for name, seconds in took.items()}
    gain = each["folded"] - each["compiled"]
    pays = f"{programs.seconds / gain:10,.0f}" if gain > 0 else f"{'never':>10}"
    rates = "".join(f"{1 / seconds:10.0f}" for seconds in each.values())
    moved = "".join(f"{error:10.1e}" for error in errors.values())
    return f"{backbone:<28}{precision:>6}{rates}{programs.seconds:9.1f} s{pays}{moved}"


def _error(features: Tensor, exact: Tensor) -> float:
    return ((features.double() - exact.double()).norm() / exact.double().norm()).item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("backbones", nargs="*", default=BACKBONES)
    parser.add_argument("--precision", nargs="+", default=["fp32", "bf16"])
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--turns", type=int, default=7)
    asked = parser.parse_args()
    keep_freed_memory()  # as a run does
    print(f"batches of {asked.batch_size}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    titles = "".join(f"{title:>10}" for title in ("apart", "folded", "compiled", "compiling", "pays from"))
    print(f"{'images a second':<34}{titles}{'features moved by, of each way':>35}")
    for backbone in asked.backbones:
        for precision in asked.precision:
            with tempfile.TemporaryDirectory() as folder:
                os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder
                print(measured(backbone, precision, asked.batch_size, asked.turns), flush=True)


if __name__ == "__main__":
    main()
