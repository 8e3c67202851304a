"""Depth of the timm models that declare none, or one that is not the order in which they compute.

The rest of timm is taken at its word: `group_matcher`, coarse for stages and fine for layers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._depth import JOINS_PREVIOUS, Depth, Patterns
from ._torchvision_depth import _depth

_TOKENS = r"^(?:cls_token|pos_embed|patch_embed)"


def metaformer(model: Any) -> Depth:
    """Downsampling comes before its stage's blocks and belongs to the first."""
    return _depth(r"^stem\.", r"^stages\.(\d+)", _in_stages("stages", "downsample"))


def pooling_transformer(model: Any) -> Depth:
    return _depth(_TOKENS, r"^transformers\.(\d+)", _in_stages("transformers", "pool"))


def rdnet(model: Any) -> Depth:
    """What is neither stem nor dense block (a norm and a convolution) comes before the stage's dense blocks."""
    layers = [(r"^dense_stages\.(\d+)\.\d+\.dense_block(\d+)", None), (r"^dense_stages\.(\d+)\.", (0,))]
    return _depth(r"^stem\.", r"^dense_stages\.(\d+)", layers)


def csatv2(model: Any) -> Depth:
    """stages: a convolution that downsamples comes first, and a norm last in all stages but the last."""
    layers: list[tuple[str, tuple[int, ...] | None]] = []
    for number, stage in enumerate(model.stages):
        last = len(stage) - 1
        if number:
            layers.append((rf"^stages\.({number})\.0\.", (1,)))
        if number < len(model.stages) - 1:
            layers.append((rf"^stages\.({number})\.{last}\.", JOINS_PREVIOUS))
    return _depth(r"^stem_dct\.", r"^stages\.(\d+)", [*layers, (r"^stages\.(\d+)\.(\d+)", None)])


def cait(model: Any) -> Depth:
    """The class token passes its own blocks after all the others."""
    blocks: dict[str, Patterns] = {"stem": _TOKENS, "blocks": r"^blocks\.(\d+)"}
    blocks["tokens"] = r"^blocks_token_only\.(\d+)"
    return Depth(blocks, blocks)


def efficientvim(model: Any) -> Depth:
    """Every stage ends in a downsampling and in a norm, whose output goes to a classifier of its own."""
    ends = [(r"^stages\.(\d+)\.downsample", JOINS_PREVIOUS), (r"^norm\.(\d+)", JOINS_PREVIOUS)]
    layers = [(r"^stages\.(\d+)\.blocks\.(\d+)", None), *ends]
    return _depth(r"^patch_embed\.", [(r"^stages\.(\d+)", None), (r"^norm\.(\d+)", JOINS_PREVIOUS)], layers)


def relative_positions(model: Any) -> Depth:
    """What all blocks share to compute their relative positions comes before the first."""
    blocks: dict[str, Patterns] = {"stem": rf"{_TOKENS}|^shared_rel_pos", "blocks": r"^blocks\.(\d+)"}
    return Depth(blocks, blocks)


def _in_stages(stages: str, first: str) -> Patterns:
    return [(rf"^{stages}\.(\d+)\.{first}\.", (0,)), (rf"^{stages}\.(\d+)\.blocks\.(\d+)", None)]


DECLARED: dict[str, Callable[[Any], Depth]] = {
    "CSATv2": csatv2,
    "Cait": cait,
    "EfficientViM": efficientvim,
    "EfficientViMDistilled": efficientvim,
    "MetaFormer": metaformer,
    "PoolingVisionTransformer": pooling_transformer,
    "RDNet": rdnet,
    "VisionTransformerRelPos": relative_positions,
}
"""By the name of the model's class."""


def depth_of(model: Any) -> Depth | None:
    """The model's depth; None where nobody declares it."""
    declared = DECLARED.get(type(model).__name__)
    if declared:
        return declared(model)
    try:
        return Depth(stages=model.group_matcher(coarse=True), layers=model.group_matcher(coarse=False))
    except (AttributeError, AssertionError):
        return None
