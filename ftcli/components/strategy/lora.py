"""LoRA (Hu et al. 2021), by the PEFT library: low-rank adapters beside frozen layers train, and the head."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ftcli.plans import freeze_mask
from ftcli.plans.layer_map import LayerMap
from ftcli.plans.peft_adapters import Adapters
from ftcli.plans.phase import Stretch
from ftcli.registry import Choice, Many


class LoRA(Choice):
    """The backbone is frozen, BatchNorm statistics included. Needs the package peft: pip install 'ftcli[peft]'."""

    kind: Literal["lora"]
    rank: int = Field(default=8, ge=1)
    """Of the two matrices that stand beside each adapted layer."""
    alpha: float = Field(default=16, gt=0)
    """What they add is scaled by alpha / rank."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Of what goes into them, in training."""
    target_modules: Many[str] | None = Field(default=None, min_length=1)
    """Modules by the last parts of their names ([query, value], [attn.qkv]), or whole names. Default: the linear layers
    and the 1x1 and 3x3 convolutions of every stage but the stem."""
    from_stage: str | None = None
    """The lowest stage that gets adapters; what lies below is a frozen part that is computed once."""
    dora: bool = False
    """DoRA (Liu et al. 2024): the length of each weight trains apart from its direction."""
    rslora: bool = False
    """rsLoRA (Kalajdzievski 2023): scale by alpha / sqrt(rank)."""
    quantize: Literal["none", "nf4"] = "none"
    """nf4: QLoRA (Dettmers et al. 2023). Frozen linear layers of the backbone keep 4 bits a weight; the rest stays in
    fp32. Needs the package bitsandbytes: pip install 'ftcli[qlora]'."""


def adapters(options: LoRA) -> Adapters:
    settings = {
        "r": options.rank,
        "lora_alpha": options.alpha,
        "lora_dropout": options.dropout,
        "use_dora": options.dora,
        "use_rslora": options.rslora,
    }
    quantize = None if options.quantize == "none" else options.quantize
    return Adapters("lora", settings, options.target_modules, options.from_stage, quantize=quantize)


def phases(options: LoRA, layer_map: LayerMap, epochs: int) -> tuple[Stretch, ...]:
    return (Stretch("lora", freeze_mask.head(layer_map) | freeze_mask.adapters(layer_map), epochs),)
