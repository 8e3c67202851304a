"""Prefix tuning (Li & Liang 2021), by the PEFT library: keys and values of virtual tokens train, and the head."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ftcli.plans import freeze_mask
from ftcli.plans.layer_map import LayerMap
from ftcli.plans.peft_adapters import Adapters
from ftcli.plans.phase import Stretch
from ftcli.registry import Choice


class PrefixTuning(Choice):
    """For language models, and text encoders of types bert, roberta and electra; the network is frozen. It can take as
    many tokens less. Needs the package peft: pip install 'ftcli[peft]'.
    """

    kind: Literal["prefix_tuning"]
    tokens: int = Field(default=20, ge=1)
    """How many virtual tokens."""


def adapters(options: PrefixTuning) -> Adapters:
    return Adapters("prefix_tuning", {"num_virtual_tokens": options.tokens}, targets=())


def phases(options: PrefixTuning, layer_map: LayerMap, epochs: int) -> tuple[Stretch, ...]:
    mask = freeze_mask.head(layer_map) | freeze_mask.adapters(layer_map)
    return (Stretch("prefix_tuning", mask, epochs),)
