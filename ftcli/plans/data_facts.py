"""What a plan is made from beside the recipe and the network: the data, as far as they are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ftcli.plans.inputs import Inputs
from ftcli.plans.prefix import PrefixCost


@dataclass(frozen=True)
class DataFacts:
    """What a plan needs to know of the data. `num_train` is None where the data is not at hand."""

    classes: tuple[str, ...]
    num_train: int | None
    preprocessing: Inputs
    class_counts: tuple[int, ...] | None = None
    """Training examples of each class, in the order of `classes`; None where they are not known."""
    multi_label: bool = False
    prefix_costs: Mapping[int, PrefixCost] = field(default_factory=dict)
    """By the first layer above it, what a part of the network costs and gives; empty where it was not measured."""
    tokens: float | None = None
    """Of a text in the mean, where texts were read."""
