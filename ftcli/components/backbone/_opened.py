"""What a source hands over: the network as it was published, and what is known of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ftcli.plan.preprocessing import Preprocessing

from ._depth import Depth

if TYPE_CHECKING:
    from torch import nn

Model = TypeVar("Model", bound="nn.Module")


@dataclass(frozen=True)
class Opened:
    """`head_path` names the pretrained classifier's last linear layer, which a new head replaces."""

    model: nn.Module
    head_path: str
    depth: Depth
    preprocessing: Preprocessing
    weights: str
    """A sentence for the user: where the weights are from."""

    @property
    def num_features(self) -> int:
        """Width of what reaches the classifier, as long as it is in its place."""
        return int(self.model.get_submodule(self.head_path).in_features)  # type: ignore[arg-type]


def build(constructor: Callable[[], Model], *, meta: bool) -> Model:
    """The constructed model; with `meta`, without memory or values for its tensors."""
    import torch

    if not meta:
        return constructor()
    try:
        with torch.device("meta"):
            return constructor()
    except NotImplementedError:  # torchvision's RegNet computes its widths with tensors
        return constructor().to("meta")
