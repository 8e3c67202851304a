"""The BatchNorm policy of a recipe; `auto` is resolved here, with its reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from pydantic import Field

from ftcli.plans.norm_policy import POLICIES, NormPolicy
from ftcli.registry import Choice


class Fixed(Choice):
    """A policy by name.

    train: statistics updated, affine trained. freeze_stats: statistics kept, affine trained.
    freeze: both kept, the safest on small data. freeze_affine: statistics updated, affine kept; rare.
    group_norm: BatchNorm replaced by GroupNorm; discards the pretrained statistics.
    """

    kind: Literal["train", "freeze_stats", "freeze", "freeze_affine", "group_norm"]


class Auto(Choice):
    """Chosen by the number of training examples, the domain and the batch size; the plan says why."""

    kind: Literal["auto"] = "auto"
    domain: Literal["close", "far", "unknown"] = "unknown"
    """How like the pretraining images yours are (photographs of things: close; X-rays, satellite: far). Far, with large
    batches, is the published rule for `train`; `ftcli plan` does not follow it: on 2,000 images of Fashion-MNIST
    (EfficientNet-Lite0, 64 pixels, batches of 32, all layers trained, two seeds) it came to 80.3%, freeze_stats to
    86.3%."""
    enough_examples: int = Field(default=5000, ge=1)
    """From this many training examples on, the statistics are re-estimated."""
    large_batch: int = Field(default=32, ge=2)
    """The least batch size whose statistics are worth following on a far domain."""


def policy(options: Fixed | Auto, *, num_train: int | None, batch_size: int, pretrained: bool) -> NormPolicy:
    """The policy that holds. num_train is None where the data is not known."""
    if isinstance(options, Fixed):
        return replace(POLICIES[options.kind], reason="the recipe says so")
    kind, reason = _choose(options, num_train, batch_size, pretrained)
    return replace(POLICIES[kind], reason=reason)


def _choose(options: Auto, num_train: int | None, batch_size: int, pretrained: bool) -> tuple[str, str]:
    if not pretrained:
        return "train", "no pretrained statistics to keep"
    if num_train is None:
        return "freeze_stats", "the number of training examples is not known"
    if num_train >= options.enough_examples:
        return "train", f"{num_train:,} training examples, at least {options.enough_examples:,}"
    if options.domain == "far" and batch_size >= options.large_batch:
        return "train", f"far domain and batches of {batch_size}, at least {options.large_batch}"
    return "freeze_stats", f"{num_train:,} training examples, fewer than {options.enough_examples:,}"
