"""How monitors put numbers and recipe values into words."""

from __future__ import annotations

import math

from ftcli.planner.monitors.history import History

_STEPS = (1.0, 2.0, 5.0)


def percent(value: float) -> str:
    return f"{value:.1%}" if value < 10 else f"{value:.0f} times"


def rounded(value: float) -> str:
    """Down to 1, 2 or 5 times a power of ten, as people write LRs."""
    exponent = math.floor(math.log10(value) + 1e-9)
    mantissa = max(step for step in _STEPS if step <= value / 10**exponent + 1e-9)
    return f"{mantissa * 10**exponent:.0e}".replace("e-0", "e-").replace("e+00", "").replace("e+0", "e")


def lower_lr(history: History, factor: float) -> str:
    """The recipe's value for an LR divided by `factor`: of the backbone alone where it has one of its own."""
    lr = history.plan.optimizer.lr
    return f"optimizer.lr: {rounded(lr / factor)} (now {lr:g})"


def slower_backbone(history: History, factor: float) -> str:
    divisor = float(rounded(history.divisor * factor))
    return f"layer_lr: {{kind: discriminative, backbone_divisor: {divisor:g}}} (now {history.divisor:.3g})"
