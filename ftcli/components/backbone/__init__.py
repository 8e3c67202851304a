"""Where networks come from: each source opens a model by name and declares its depth."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from ftcli.errors import ModelError

from ._depth import Depth, Groups, group
from ._opened import Opened, is_below, is_classifier, width_of

SOURCES = ("torchvision", "timm")

__all__ = [
    "SOURCES",
    "Depth",
    "Groups",
    "Opened",
    "group",
    "is_below",
    "is_classifier",
    "open_backbone",
    "source",
    "width_of",
]


def open_backbone(
    backbone: str, weights: str = "default", image_size: int | None = None, *, meta: bool = False
) -> Opened:
    """The network SOURCE/NAME with its pretrained classifier still in place.

    `weights` is "default" (the pretrained ones), "none" (random, from torch's generator) or a file.
    `image_size` is the side of the input in pixels, None for the weights' own. With `meta` the tensors have
    shapes only, nothing is downloaded, and the note says which weights would be taken. Raises ModelError.
    """
    found, name = source(backbone)
    opened: Opened = found.open_model(name, weights, image_size, meta=meta)
    return opened


def source(backbone: str) -> tuple[ModuleType, str]:
    """The module of a source, with `names()` and `open_model()`, and the model's name there."""
    prefix, slash, name = backbone.partition("/")
    if slash and prefix in SOURCES:
        return import_module(f"{__name__}.{prefix}"), name
    choices = " or ".join(f"{known}/{name or prefix}" for known in SOURCES)
    raise ModelError(f"{backbone!r} does not say which library it is from", remedy=f"write {choices}")
