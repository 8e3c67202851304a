"""A ResNet-18 on paper, and the plans, views and lines that the tests of this room look at."""

from __future__ import annotations

import io
import json
from typing import Any

from rich.console import Console, RenderableType

from ftcli.planner.compile import compile_plan
from ftcli.plans.data_facts import DataFacts
from ftcli.plans.layer_map import BatchNorm, Layer, LayerMap, Parameter
from ftcli.plans.preprocessing import IMAGENET
from ftcli.plans.training_plan import Machine, TrainingPlan
from ftcli.recipe.schema import Recipe
from ftcli.report.console import show

DIGITS = tuple(str(digit) for digit in range(10))
_WIDTHS = (64, 128, 256, 512)


class _Builder:
    def __init__(self) -> None:
        self.parameters: list[Parameter] = []
        self.norms: list[BatchNorm] = []

    def conv(self, name: str, layer: int, stage: str, *shape: int) -> None:
        self.parameters.append(Parameter(f"{name}.weight", shape, layer, stage, is_norm=False))

    def norm(self, name: str, layer: int, stage: str, width: int) -> None:
        params = (f"{name}.weight", f"{name}.bias")
        self.parameters += [Parameter(p, (width,), layer, stage, is_norm=True) for p in params]
        buffers = tuple(f"{name}.{b}" for b in ("running_mean", "running_var", "num_batches_tracked"))
        self.norms.append(BatchNorm(name, layer, stage, params, buffers))

    def block(self, name: str, layer: int, stage: str, width_in: int, width: int) -> None:
        self.conv(f"{name}.conv1", layer, stage, width, width_in, 3, 3)
        self.norm(f"{name}.bn1", layer, stage, width)
        self.conv(f"{name}.conv2", layer, stage, width, width, 3, 3)
        self.norm(f"{name}.bn2", layer, stage, width)
        if width_in != width:
            self.conv(f"{name}.downsample.0", layer, stage, width, width_in, 1, 1)
            self.norm(f"{name}.downsample.1", layer, stage, width)


def resnet18(num_classes: int = 10, prefix: str = "layer") -> LayerMap:
    """11,176,512 parameters below the head. `prefix` names the stages above the stem."""
    built, layers = _Builder(), [Layer(0, "stem", "stem")]
    built.conv("conv1", 0, "stem", 64, 3, 7, 7)
    built.norm("bn1", 0, "stem", 64)
    width_in = 64
    for number, width in enumerate(_WIDTHS, start=1):
        for block in (0, 1):
            layer, name = len(layers), f"layer{number}.{block}"
            layers.append(Layer(layer, name, f"{prefix}{number}"))
            built.block(name, layer, f"{prefix}{number}", width_in, width)
            width_in = width
    head = len(layers)
    layers.append(Layer(head, "fc", "head"))
    built.conv("fc", head, "head", num_classes, 512)
    built.parameters.append(Parameter("fc.bias", (num_classes,), head, "head", is_norm=False))
    return LayerMap("torchvision/resnet18", tuple(layers), tuple(built.parameters), tuple(built.norms))


def deep_network(num_stages: int) -> LayerMap:
    """A transformer-like chain without BatchNorm: a stem, `num_stages - 1` blocks, a head."""
    names = ["stem", *(f"blocks.{i}" for i in range(num_stages - 1)), "head"]
    return LayerMap(
        "timm/vit_base_patch16_224",
        tuple(Layer(i, name, name) for i, name in enumerate(names)),
        tuple(
            Parameter(f"{name}.weight", (768, 9216), i, name, is_norm=False) for i, name in enumerate(names)
        ),
    )


def plan(
    strategy: Any,
    layer_map: LayerMap | None = None,
    classes: tuple[str, ...] = DIGITS,
    num_train: int = 1257,
    **sections: Any,
) -> TrainingPlan:
    layer_map = layer_map or resnet18(len(classes))
    content = {"data": "digits", "model": {"backbone": layer_map.backbone}, "strategy": strategy, **sections}
    recipe = Recipe.model_validate_json(json.dumps(content))
    facts = DataFacts(classes, num_train, IMAGENET)
    return compile_plan(recipe, layer_map, facts, Machine("cpu"))


def in_pipe(*views: RenderableType, width: int = 80, encoding: str = "utf-8") -> str:
    """What a pipe receives."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    console = Console(file=stream, force_terminal=False, width=width, highlight=False, markup=False)
    show(console, *views)
    return raw.getvalue().decode(encoding)


def on_terminal(*views: RenderableType, width: int = 80) -> str:
    """What a terminal with 256 colours receives."""
    stream = io.StringIO()
    show(Console(file=stream, force_terminal=True, color_system="256", width=width), *views)
    return stream.getvalue()
