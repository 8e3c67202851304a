"""A network ready for a plan: the tensors, and what is known of their order."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from torch import nn

from ftcli.engine.prompt import Prompt
from ftcli.errors import ModelError
from ftcli.plans.inputs import Inputs, is_packed
from ftcli.plans.layer_map import LayerMap
from ftcli.plans.peft_adapters import Adapters
from ftcli.plans.preprocessing import Preprocessing
from ftcli.plans.quantised_base import QuantisedBase


@dataclass(frozen=True)
class Network:
    """`model` turns images (B, 3, S, S), preprocessed as `preprocessing` says, into logits (B, C).

    Or texts: tokens (B, L) with PAD behind the shorter ones; a language model's logits are (B, L, V), of the next token
    at every place.
    """

    model: nn.Module
    layer_map: LayerMap
    module_layers: dict[str, int]
    """Module name to layer index; containers of several layers have none."""
    heads: tuple[str, ...]
    """Paths of the new modules of the head (a language model's is its own); several where their mean is taken."""
    preprocessing: Inputs
    backbone: str
    """SOURCE/NAME."""
    weights_note: str
    """Where the backbone's weights are from, for the user."""
    config: Mapping[str, Any] | None = None
    """JSON-able: what rebuilds the architecture where the name alone is not enough."""
    tokenizer: str | None = None
    """Of a network that takes texts: the tokenizer's JSON, where it came with one."""
    tail: tuple[str, ...] = ()
    """Paths of all modules of the head in the order of their calls, where there are more than `heads`."""
    adapters: Adapters | None = None
    """What stands beside its layers, and at which of them; or before its texts."""
    prompt: Prompt | None = None
    """What puts virtual tokens before its texts."""
    quantised: QuantisedBase | None = None
    """What of its frozen weights is kept in 4 bits."""

    @property
    def head_modules(self) -> tuple[str, ...]:
        return self.tail or self.heads

    def pretrained_alone(self) -> AbstractContextManager[None]:
        """While it lasts, no virtual tokens stand before its texts: other adapters change nothing until they train."""
        return nullcontext() if self.prompt is None else self.prompt.left_out()

    @property
    def language_model(self) -> bool:
        """Whether it says the next token at every place, with the head that it came with."""
        return is_packed(self.preprocessing)

    @property
    def images(self) -> Preprocessing:
        """How an image becomes its input. Raises ModelError for a network that takes texts."""
        return must_be_images(self.preprocessing, self.backbone)


def must_be_images(inputs: Inputs, backbone: str) -> Preprocessing:
    """Raises ModelError where the backbone takes texts."""
    if not isinstance(inputs, Preprocessing):
        raise ModelError(
            f"{backbone} takes texts, not images", remedy="choose an image classifier: ftcli models ls"
        )
    return inputs
