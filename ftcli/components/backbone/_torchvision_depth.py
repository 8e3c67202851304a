"""Depth of torchvision's families, written as timm writes its own: torchvision declares none."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from torch import nn

from ._depth import JOINS_PREVIOUS, Depth, Matcher


def resnet(model: Any) -> Depth:
    stem = r"^(?:conv1|bn1)\."
    return Depth(
        stages={"stem": stem, "blocks": r"^layer(\d+)"}, layers={"stem": stem, "blocks": r"^layer(\d+)\.(\d+)"}
    )


def efficientnet(model: Any) -> Depth:
    """features: the stem, a module a stage, and last a 1x1 convolution, which joins the last stage."""
    last = (rf"^features\.{len(model.features) - 1}\.", JOINS_PREVIOUS)
    stem = r"^features\.0\."
    return Depth(
        stages={"stem": stem, "blocks": [last, (r"^features\.(\d+)", None)]},
        layers={"stem": stem, "blocks": [last, (r"^features\.(\d+)\.(\d+)", None)]},
    )


def mobilenet(model: Any) -> Depth:
    """features is a row of blocks; those of one width are a stage, as in the tables of the papers."""
    last = len(model.features) - 1
    blocks = list(range(1, last))
    stages: dict[str, str] = {"stem": r"^features\.0\."}
    for _, members in groupby(blocks, key=lambda index: model.features[index].out_channels):
        stages[f"stage{len(stages)}"] = _features(list(members))
    return Depth(
        stages=stages,
        layers={
            "stem": r"^features\.0\.",
            "blocks": [(rf"^features\.{last}\.", JOINS_PREVIOUS), (r"^features\.(\d+)", None)],
        },
    )


def densenet(model: Any) -> Depth:
    """A transition comes after its block and belongs to it."""
    stem = r"^features\.(?:conv0|norm0)\."
    return Depth(
        stages={"stem": stem, "blocks": r"^features\.(?:denseblock|transition)(\d+)"},
        layers={
            "stem": stem,
            "blocks": [
                (r"^features\.denseblock(\d+)\.denselayer(\d+)", None),
                (r"^features\.transition(\d+)", JOINS_PREVIOUS),
            ],
        },
    )


def pyramid(model: Any) -> Depth:
    """ConvNeXt and Swin: features alternates blocks (odd) and downsampling (even), which belongs to what follows."""
    stem = r"^features\.0\."
    odd = range(1, len(model.features), 2)
    downsampling = [(rf"^features\.{index - 1}\.", (index, 0)) for index in odd if index > 1]
    return Depth(
        stages={"stem": stem, "blocks": [(_features([index - 1, index]), (index,)) for index in odd]},
        layers={"stem": stem, "blocks": [*downsampling, (r"^features\.(\d+)\.(\d+)", None)]},
    )


def vision_transformer(model: Any) -> Depth:
    """Every block is a stage."""
    blocks: Matcher = {
        "stem": r"^(?:class_token|conv_proj|encoder\.pos_embedding)",
        "blocks": r"^encoder\.layers\.encoder_layer_(\d+)",
    }
    return Depth(stages=blocks, layers=blocks)


def vgg(model: Any) -> Depth:
    """Stages end at a pooling; a layer is a convolution with its norm. The stem is the first convolution."""
    convolutions = _convolutions(model.features)
    stages: dict[str, str] = {"stem": _features(convolutions[0][1])}
    for number, members in groupby(convolutions[1:], key=lambda convolution: convolution[0]):
        stages[f"block{number}"] = _features([index for _, modules in members for index in modules])
    layers = [(_features(modules), (order,)) for order, (_, modules) in enumerate(convolutions[1:])]
    return Depth(stages=stages, layers={"stem": stages["stem"], "blocks": layers})


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
    convolutions: Matcher = {"stem": r"^features\.0\.", "blocks": r"^features\.(\d+)"}
    return Depth(stages=convolutions, layers=convolutions)


def mnasnet(model: Any) -> Depth:
    """layers: 0 to 7 are the stem, 8 to 13 a stage each, 14 and 15 the last convolution and its norm."""
    stem, last = r"^layers\.[0-7]\.", (r"^layers\.1[45]\.", JOINS_PREVIOUS)
    return Depth(
        stages={"stem": stem, "blocks": [last, (r"^layers\.(\d+)", None)]},
        layers={"stem": stem, "blocks": [last, (r"^layers\.(\d+)\.(\d+)", None)]},
    )


def shufflenet(model: Any) -> Depth:
    stem = r"^conv1\."
    return Depth(
        stages={"stem": stem, "blocks": r"^stage(\d+)"}, layers={"stem": stem, "blocks": r"^stage(\d+)\.(\d+)"}
    )


def regnet(model: Any) -> Depth:
    stem, stage = r"^stem\.", r"^trunk_output\.block(\d+)"
    return Depth(
        stages={"stem": stem, "blocks": stage}, layers={"stem": stem, "blocks": rf"{stage}\.block\d+-(\d+)"}
    )


def maxvit(model: Any) -> Depth:
    stem, stage = r"^stem\.", r"^blocks\.(\d+)"
    return Depth(stages={"stem": stem, "blocks": stage}, layers={"stem": stem, "blocks": rf"{stage}\.layers\.(\d+)"})


def _features(indices: Sequence[int]) -> str:
    return rf"^features\.(?:{'|'.join(map(str, indices))})\."
