"""Depth of torchvision's families, written as timm writes its own: torchvision declares none.

A pattern is held against parameter names; it ends in a dot where a number would otherwise go on (1, 10).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from torch import nn

from ._depth import JOINS_PREVIOUS, Depth, Patterns


def resnet(model: Any) -> Depth:
    return _depth(r"^(?:conv1|bn1)\.", r"^layer(\d+)", r"^layer(\d+)\.(\d+)")


def efficientnet(model: Any) -> Depth:
    """features: the stem, a module a stage, and last a 1x1 convolution, which joins the last stage."""
    last = (_features([len(model.features) - 1]), JOINS_PREVIOUS)
    stages, layers = (r"^features\.(\d+)", None), (r"^features\.(\d+)\.(\d+)", None)
    return _depth(_features([0]), [last, stages], [last, layers])


def mobilenet(model: Any) -> Depth:
    """features is a row of blocks; those of one width are a stage, as in the tables of the papers."""
    last = len(model.features) - 1
    stages: dict[str, Patterns] = {"stem": _features([0])}
    for _, block in groupby(range(1, last), key=lambda index: model.features[index].out_channels):
        stages[f"stage{len(stages)}"] = _features(block)
    layers = [(_features([last]), JOINS_PREVIOUS), (r"^features\.(\d+)", None)]
    return Depth(stages, {"stem": _features([0]), "blocks": layers})


def densenet(model: Any) -> Depth:
    """A transition comes after its block and belongs to it."""
    transition = (r"^features\.transition(\d+)", JOINS_PREVIOUS)
    layers = [(r"^features\.denseblock(\d+)\.denselayer(\d+)", None), transition]
    return _depth(r"^features\.(?:conv0|norm0)\.", r"^features\.(?:denseblock|transition)(\d+)", layers)


def pyramid(model: Any) -> Depth:
    """ConvNeXt and Swin: odd features are blocks, even ones downsample and belong to what follows."""
    blocks = range(1, len(model.features), 2)
    stages = [(_features([index - 1, index]), (index,)) for index in blocks]
    downsampling = [(_features([index - 1]), (index, 0)) for index in blocks]
    return _depth(_features([0]), stages, [*downsampling, (r"^features\.(\d+)\.(\d+)", None)])


def vision_transformer(model: Any) -> Depth:
    """Every block is a stage."""
    block = r"^encoder\.layers\.encoder_layer_(\d+)"
    return _depth(r"^(?:class_token|conv_proj|encoder\.pos_embedding)", block, block)


def vgg(model: Any) -> Depth:
    """A layer is a convolution with its norm, a stage ends at a pooling; the stem is the first layer."""
    first, *others = _convolutions(model.features)
    stages: dict[str, Patterns] = {"stem": _features(first[1])}
    for number, block in groupby(others, key=lambda convolution: convolution[0]):
        stages[f"block{number}"] = _features(index for _, modules in block for index in modules)
    layers = [(_features(modules), (order,)) for order, (_, modules) in enumerate(others)]
    return Depth(stages, {"stem": stages["stem"], "blocks": layers})


def _convolutions(features: nn.Sequential) -> list[tuple[int, list[int]]]:
    """For each convolution the number of its block, from 1, and the indices of it and of its norm."""
    found: list[tuple[int, list[int]]] = []
    block = 1
    for index, module in enumerate(features):
        if isinstance(module, nn.MaxPool2d):
            block += 1
        elif isinstance(module, nn.Conv2d):
            found.append((block, [index]))
        elif isinstance(module, nn.BatchNorm2d):
            found[-1][1].append(index)
    return found


def alexnet(model: Any) -> Depth:
    """Every convolution is a stage."""
    return _depth(_features([0]), r"^features\.(\d+)", r"^features\.(\d+)")


def googlenet(model: Any) -> Depth:
    """conv1 to conv3 are the stem; the blocks of one resolution (3a and 3b) are a stage."""
    return _lettered(r"^conv[123]\.", "inception", {3: "ab", 4: "abcde", 5: "ab"})


def inception(model: Any) -> Depth:
    """The plain convolutions, of which two are named 3b and 4a, are the stem."""
    return _lettered(r"^Conv2d_", "Mixed_", {5: "bcd", 6: "abcde", 7: "abc"})


def _lettered(stem: str, prefix: str, stages: Mapping[int, str]) -> Depth:
    """Blocks named by a stage's number and a letter: {3: "ab"} are 3a and 3b."""
    blocks = [(number, letter) for number, letters in stages.items() for letter in letters]
    layers = [(rf"^{prefix}{number}{letter}\.", (order,)) for order, (number, letter) in enumerate(blocks)]
    return _depth(stem, rf"^{prefix}(\d+)", layers)


def squeezenet(model: Any) -> Depth:
    """A layer is a Fire module, a stage ends at a pooling."""
    fires: dict[int, list[int]] = {}
    stage = 0
    for index, module in enumerate(model.features):
        if isinstance(module, nn.MaxPool2d):
            stage += 1
        elif index and list(module.parameters()):
            fires.setdefault(stage, []).append(index)
    stages: dict[str, Patterns] = {"stem": _features([0])}
    stages |= {f"stage{number}": _features(indices) for number, indices in fires.items()}
    return Depth(stages, {"stem": stages["stem"], "blocks": r"^features\.(\d+)"})


def mnasnet(model: Any) -> Depth:
    """layers: 0 to 7 are the stem, 8 to 13 a stage each, 14 and 15 the last convolution and its norm."""
    last = (r"^layers\.1[45]\.", JOINS_PREVIOUS)
    stages, layers = (r"^layers\.(\d+)", None), (r"^layers\.(\d+)\.(\d+)", None)
    return _depth(r"^layers\.[0-7]\.", [last, stages], [last, layers])


def shufflenet(model: Any) -> Depth:
    return _depth(r"^conv1\.", r"^stage(\d+)", r"^stage(\d+)\.(\d+)")


def regnet(model: Any) -> Depth:
    return _depth(r"^stem\.", r"^trunk_output\.block(\d+)", r"^trunk_output\.block(\d+)\.block\d+-(\d+)")


def maxvit(model: Any) -> Depth:
    return _depth(r"^stem\.", r"^blocks\.(\d+)", r"^blocks\.(\d+)\.layers\.(\d+)")


def _depth(stem: str, stages: Patterns, layers: Patterns) -> Depth:
    return Depth({"stem": stem, "blocks": stages}, {"stem": stem, "blocks": layers})


def _features(indices: Iterable[int]) -> str:
    return rf"^features\.(?:{'|'.join(map(str, indices))})\."
