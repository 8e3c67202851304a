"""Adapters folded into the weights beside which they stand: the network is then as its library makes it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ftcli.components.backbone import quietly
from ftcli.engine.network import Network
from ftcli.engine.peft_layers import peft_config
from ftcli.engine.peft_library import NAME, peft
from ftcli.engine.quantised_base import FullWeights
from ftcli.errors import ModelError

MOST_DIFFERENCE = 1e-4
"""How far folding may move a logit, relative to the largest of them (or to 1, where all are smaller). In fp32 it was
1e-7 to 1e-6 for transformers and convolutional networks; more is no rounding."""


@dataclass(frozen=True)
class Parity:
    """How the logits (N, C) of the folded network differ from those of the network with adapters."""

    num_inputs: int
    difference: float
    """The largest |folded - apart| of all logits."""
    largest: float
    """The largest |logit|."""
    other_predictions: int
    """Inputs whose highest logit is another."""

    @property
    def relative(self) -> float:
        return self.difference / max(self.largest, 1.0)


def merge_into(plain: Network, adapted: Network) -> None:
    """The model of `plain`, the same network without adapters, gets the weights and what the adapters add to them.

    By PEFT's `merge_and_unload`. Weights in 4 bits are unpacked first. Raises ModelError where a sum is no number.
    """
    assert adapted.adapters is not None
    library = peft()
    kind = {"lora": library.LoraModel, "ia3": library.IA3Model}[adapted.adapters.method]
    try:
        with quietly():
            tuner = kind(plain.model, peft_config(adapted.adapters), NAME)
            plain.model.load_state_dict(dict(FullWeights(adapted.model)))
            tuner.merge_and_unload(safe_merge=True)
    except ValueError as error:
        raise ModelError(f"PEFT cannot fold the adapters: {error}", remedy="train again") from error


def parity(apart_NC: Tensor, folded_NC: Tensor) -> Parity:
    """Raises ModelError where they differ by more than MOST_DIFFERENCE, or are no numbers."""
    found = Parity(
        num_inputs=len(apart_NC),
        difference=(folded_NC.double() - apart_NC.double()).abs().max().item(),
        largest=apart_NC.double().abs().max().item(),
        other_predictions=int((apart_NC.argmax(dim=1) != folded_NC.argmax(dim=1)).sum()),
    )
    if not found.relative <= MOST_DIFFERENCE:
        what = (
            f"folding moves the logits of {found.num_inputs} examples by up to {found.difference:.2g}, of "
            f"{found.largest:.2g}: {found.relative:.1g} is more than rounding ({MOST_DIFFERENCE:g})"
        )
        raise ModelError(what, remedy="keep the adapters apart: the run's folder `adapter` is theirs")
    return found
