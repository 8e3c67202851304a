"""IA3 (Liu et al. 2022), by the PEFT library: vectors that scale what frozen layers give train, and the head."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ftcli.plans import freeze_mask
from ftcli.plans.layer_map import LayerMap
from ftcli.plans.peft_adapters import Adapters
from ftcli.plans.phase import Stretch
from ftcli.registry import Choice, Many


class IA3(Choice):
    """The backbone is frozen, BatchNorm statistics included. Needs the package peft: pip install 'ftcli[peft]'."""

    kind: Literal["ia3"]
    target_modules: Many[str] | None = Field(default=None, min_length=1)
    """Modules by the last parts of their names, or whole names. Default: the linear layers and the 1x1 and 3x3
    convolutions of every stage but the stem. The paper's own, of a BERT: [key, value, output.dense]."""
    feedforward_modules: Many[str] = ()
    """Those of them, by the same names, whose input is scaled instead of their output: [output.dense]."""
    from_stage: str | None = None
    """The lowest stage that gets vectors; what lies below is a frozen part that is computed once."""

    @model_validator(mode="after")
    def _feedforward_are_targets(self) -> IA3:
        others = [name for name in self.feedforward_modules if name not in (self.target_modules or ())]
        if others:
            raise ValueError(f"feedforward_modules are among target_modules: {', '.join(others)} is not")
        return self


def adapters(options: IA3) -> Adapters:
    return Adapters("ia3", {}, options.target_modules, options.from_stage, options.feedforward_modules)


def phases(options: IA3, layer_map: LayerMap, epochs: int) -> tuple[Stretch, ...]:
    return (Stretch("ia3", freeze_mask.head(layer_map) | freeze_mask.adapters(layer_map), epochs),)
