"""Linear probe, then fine-tuning (Kumar et al. 2022): a trained head does not distort the features below it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ftcli.plans import freeze_mask
from ftcli.plans.layer_map import LayerMap
from ftcli.plans.phase import Stretch
from ftcli.registry import Choice

from ._common import mask_at, too_few_epochs


class LPFT(Choice):
    """The head alone for `head_epochs`, then everything; the LR curve starts anew for each."""

    kind: Literal["lp_ft"]
    head_epochs: int = Field(default=3, ge=1)
    """Epochs of the linear probe."""
    from_stage: str | None = None
    """The lowest stage that trains in the second phase; default everything."""


def phases(options: LPFT, layer_map: LayerMap, epochs: int) -> tuple[Stretch, ...]:
    if epochs <= options.head_epochs:
        why = f"{options.head_epochs} of the head and one of fine-tuning"
        raise too_few_epochs(epochs, options.head_epochs + 1, why)
    body = freeze_mask.everything(layer_map)
    if options.from_stage is not None:
        body = mask_at("strategy.from_stage", freeze_mask.from_stage, layer_map, options.from_stage)
    return (
        Stretch("head", freeze_mask.head(layer_map), options.head_epochs),
        Stretch("fine-tune", body, epochs, restarts_curve=True),
    )
