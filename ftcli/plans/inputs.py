"""What a network takes: images or texts, and how these become its input."""

from __future__ import annotations

from typing import Any

from ftcli.plans.preprocessing import Preprocessing
from ftcli.plans.tokenization import Tokenization

Inputs = Preprocessing | Tokenization


def size_of(inputs: Inputs) -> int:
    """Pixels of a side, or the most tokens."""
    return inputs.max_length if isinstance(inputs, Tokenization) else inputs.image_size


def noun_of(inputs: Inputs) -> str:
    """What an example is."""
    if is_packed(inputs):
        return "sequence"
    return "text" if isinstance(inputs, Tokenization) else "image"


def is_packed(inputs: Inputs) -> bool:
    """Whether it is a language model's: next tokens are learned, and there are no classes."""
    return isinstance(inputs, Tokenization) and inputs.packed


def inputs_from_dict(values: dict[str, Any]) -> Inputs:
    """Of what `to_dict` of either gave."""
    kind = Preprocessing if "image_size" in values else Tokenization
    return kind.from_dict(values)
