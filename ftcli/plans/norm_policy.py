"""What BatchNorm layers do in the part of the network that trains. In a frozen layer they are in eval mode, always."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NormPolicy:
    """`updates_stats`: running mean and variance move (train mode). `trains_affine`: gamma and beta are trained.

    Frozen statistics are kept by eval mode: they are buffers, which `requires_grad=False` does not stop.
    """

    kind: str
    updates_stats: bool
    trains_affine: bool
    to_group_norm: bool = False
    reason: str = ""


POLICIES = {
    policy.kind: policy
    for policy in (
        NormPolicy("train", updates_stats=True, trains_affine=True),
        NormPolicy("freeze_stats", updates_stats=False, trains_affine=True),
        NormPolicy("freeze", updates_stats=False, trains_affine=False),
        NormPolicy("freeze_affine", updates_stats=True, trains_affine=False),
        NormPolicy("group_norm", updates_stats=False, trains_affine=True, to_group_norm=True),
    )
}
