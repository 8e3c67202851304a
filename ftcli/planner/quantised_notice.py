"""A base that is kept in 4 bits computes other numbers: said before the start."""

from __future__ import annotations

from ftcli.findings import Finding
from ftcli.plans.quantised_base import QuantisedBase

_MB = 1e6


def base_is_quantised(base: QuantisedBase) -> Finding:
    """With what it saves, in bytes of the backbone."""
    message = (
        f"the {base.weights:,} weights of {base.layers} frozen linear layers are rounded to 4 bits (NF4), the scores "
        f"of the floor included: the backbone takes {base.after / _MB:.1f} MB instead of {base.before / _MB:.1f} MB"
    )
    remedy = "nothing to do; without strategy.quantize they stay in fp32"
    return Finding("info", "strategy.quantize", message, remedy, "base-is-quantised")
