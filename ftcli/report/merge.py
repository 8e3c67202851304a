"""What folding adapters into weights came to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ftcli.report.layout import labelled
from ftcli.report.safe_text import plain

if TYPE_CHECKING:
    from rich.console import RenderableType


def merge_view(merged: Mapping[str, Any]) -> RenderableType:
    parity = merged["parity"]
    other = parity["other_predictions"]
    difference = f"{parity['relative']:.1g} of the largest logit at most (bound {parity['bound']:g})"
    return labelled(
        [
            ("folded", plain(f"adapters at {merged['modules']} modules, of {merged['run']}")),
            ("compared", plain(f"{parity['num_inputs']} validation examples, in fp32")),
            ("difference", plain(difference)),
            ("predictions", plain("all the same" if other == 0 else f"{other} are others")),
            ("written", plain(merged["out"])),
        ]
    )
