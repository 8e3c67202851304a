"""Prompt tuning (Lester et al. 2021), by the PEFT library: embeddings of virtual tokens train, and the head."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ftcli.plans import freeze_mask
from ftcli.plans.layer_map import LayerMap
from ftcli.plans.peft_adapters import Adapters
from ftcli.plans.phase import Stretch
from ftcli.registry import Choice


class PromptTuning(Choice):
    """For texts; the network is frozen. It can take as many tokens less. Needs the package peft: pip install
    'ftcli[peft]'.
    """

    kind: Literal["prompt_tuning"]
    tokens: int = Field(default=20, ge=1)
    """How many virtual tokens."""
    init: Literal["sample_vocab", "random"] = "sample_vocab"
    """What they start from: the embeddings of words drawn from the vocabulary, or normal numbers."""


def adapters(options: PromptTuning) -> Adapters:
    settings = {"num_virtual_tokens": options.tokens, "prompt_tuning_init": options.init.upper()}
    return Adapters("prompt_tuning", settings, targets=())


def phases(options: PromptTuning, layer_map: LayerMap, epochs: int) -> tuple[Stretch, ...]:
    mask = freeze_mask.head(layer_map) | freeze_mask.adapters(layer_map)
    return (Stretch("prompt_tuning", mask, epochs),)
