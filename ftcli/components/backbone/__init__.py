"""Where networks come from: each source opens a model by name and declares its depth."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ftcli.errors import ModelError

from ._depth import Depth, Groups, group
from ._hf_library import quietly
from ._opened import Opened, is_below, is_classifier, width_of

if TYPE_CHECKING:
    from torch import Tensor

SOURCES = ("torchvision", "timm", "hf")
_EXTRAS = {"hf": "transformers"}
"""Packages that a source needs and that are not installed of themselves."""

__all__ = [
    "SOURCES",
    "Depth",
    "Groups",
    "Opened",
    "class_names",
    "group",
    "is_below",
    "is_classifier",
    "is_installed",
    "open_backbone",
    "quietly",
    "read_tensors",
    "source",
    "width_of",
]


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Names and tensors of a .safetensors, .pth or .pt file; nothing in it is run. Raises ModelError."""
    from ._weights import read_tensors as read

    return read(path)


def open_backbone(
    backbone: str,
    weights: str = "default",
    image_size: int | None = None,
    *,
    meta: bool = False,
    config: Mapping[str, Any] | None = None,
) -> Opened:
    """The network SOURCE/NAME with its pretrained classifier still in place.

    `weights` is "default" (the pretrained ones), "none" (random, from torch's generator) or a file.
    `image_size` is the side of the input in pixels, None for the weights' own; of a network that takes texts, the most
    tokens. With `meta` the tensors have
    shapes only, no weights are downloaded, and the note says which would be taken. `config` is that of an
    `Opened`: with it the architecture is rebuilt from that alone. Raises ModelError.
    """
    found, name = source(backbone)
    opened: Opened = found.open_model(name, weights, image_size, meta=meta, config=config)
    return opened


def class_names(backbone: str) -> tuple[str, ...]:
    """What the outputs of the default weights' classifier are called, in their order; empty where nobody says.

    Several names of a class stand with ", " between. Raises ModelError.
    """
    found, name = source(backbone)
    names: tuple[str, ...] = found.class_names(name)
    return names


def is_installed(known: str) -> bool:
    """Whether a source has what it needs."""
    return known not in _EXTRAS or find_spec(_EXTRAS[known]) is not None


def source(backbone: str) -> tuple[ModuleType, str]:
    """The module of a source, with `names()` and `open_model()`, and the model's name there."""
    prefix, slash, name = backbone.partition("/")
    if slash and prefix in SOURCES:
        return import_module(f"{__name__}.{prefix}"), name
    choices = [f"torchvision/{name or prefix}", f"timm/{name or prefix}"]
    if slash:
        choices.append(f"hf/{backbone}")
    what = f"{backbone!r} does not say which library it is from"
    raise ModelError(what, remedy=f"write {' or '.join(choices)}")
