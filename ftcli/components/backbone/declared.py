"""What the libraries declare of a model that somebody else built: its classifier and its depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ._depth import Depth
from ._module_order import by_module_order

if TYPE_CHECKING:
    from torch import nn

Declared = tuple[tuple[str, ...], Depth]


def declared_depth(model: nn.Module) -> Declared | None:
    """Paths of the classifier and the depth, as torchvision's families and timm's models have them.

    None for any other model, and for one whose classifier has been taken out.
    """
    found = _of_torchvision(model) or _of_timm(model)
    return found if found and all(_has_parameters(model, path) for path in found[0]) else None


def ordered_depth(model: nn.Module, heads: Sequence[str]) -> Depth:
    """The depth of a model that nobody declares: the order in which its modules are registered."""
    return by_module_order(model, heads)


def _of_torchvision(model: nn.Module) -> Declared | None:
    if not type(model).__module__.startswith("torchvision."):
        return None
    from .torchvision import FAMILIES

    family = FAMILIES.get(type(model))
    return family and ((family.head_path,), family.depth(model))


def _of_timm(model: nn.Module) -> Declared | None:
    if not type(model).__module__.startswith("timm.") or not hasattr(model, "pretrained_cfg"):
        return None
    from .timm import declared_of

    return declared_of(model)


def _has_parameters(model: nn.Module, path: str) -> bool:
    try:
        return any(True for _ in model.get_submodule(path).parameters())
    except AttributeError:
        return False
