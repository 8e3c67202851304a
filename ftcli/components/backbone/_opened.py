"""What a source hands over: the network as it was published, and what is known of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from ftcli.plans.inputs import Inputs, is_packed

from ._depth import Depth

if TYPE_CHECKING:
    from torch import nn

Model = TypeVar("Model", bound="nn.Module")


@dataclass(frozen=True)
class Opened:
    """`heads` are the paths of the pretrained classifier's last layers, linear or 1x1 convolutions.

    A new head replaces each. There is more than one where a model takes the mean of several (distillation).
    """

    model: nn.Module
    heads: tuple[str, ...]
    depth: Depth
    preprocessing: Inputs
    weights: str
    """A sentence for the user: where the weights are from."""
    config: Mapping[str, Any] | None = None
    """JSON-able: what rebuilds the architecture where the name alone is not enough."""
    has_classifier: bool = False
    """Whether the classifier in its place came with the weights; else it is random, and only holds the place."""
    tokenizer: str | None = None
    """Of a network that takes texts: the tokenizer's JSON, where it came with one."""
    tail: tuple[str, ...] = ()
    """Modules from the features to the logits in the order of their calls, the classifier's among them, where layers
    before it are as new as a head. Empty: the head is what replaces `heads`."""

    @property
    def language_model(self) -> bool:
        """Whether it says the next token at every place; its own head stays, and `heads` are no place for a new one."""
        return is_packed(self.preprocessing)

    @property
    def head_modules(self) -> tuple[str, ...]:
        return self.tail or self.heads

    @property
    def num_features(self) -> int:
        """Width of what reaches the classifier, as long as it is in its place."""
        return width_of(self.model.get_submodule(self.heads[0]))


def width_of(classifier: nn.Module) -> int:
    """The number of features that a linear layer, or a convolution in its place, takes."""
    width = classifier.in_features if hasattr(classifier, "in_features") else classifier.in_channels
    return int(width)  # type: ignore[arg-type]


def is_classifier(module: nn.Module) -> bool:
    """Whether a new head can take its place: a linear layer, or a 1x1 convolution."""
    from torch import nn

    return isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1))


def is_below(name: str, paths: Iterable[str]) -> bool:
    """Whether a tensor or module is in one of the modules at `paths`."""
    return any(name == path or name.startswith(f"{path}.") for path in paths)


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
