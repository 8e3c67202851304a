"""Whether what lies below the first layer that trains is compiled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ftcli.plans.phase import Phase

Compile = Literal["eager", "compiled"]


def image_views(phases: Iterable[Phase], num_train: int, *, probed: bool = False) -> int:
    """How often a training image goes through a frozen part to be kept: of its views, where it has several, each.

    `probed`: a linear probe is one of the phases, which keeps all images as they are.
    """
    return num_train * max([int(probed), *(phase.prefix.views for phase in phases)])


def lowest_kept(phases: Iterable[Phase], default: int) -> int:
    """The lowest boundary at which a phase keeps what the frozen part makes; `default`, a probe's, where none does."""
    return min((phase.prefix.boundary for phase in phases if phase.prefix.kept), default=default)
