"""A frozen tensor or buffer has changed: by name."""

from __future__ import annotations

from collections.abc import Iterator

from ftcli.findings import Finding
from ftcli.planner.monitors.history import History

_SHOWN = 5


def moved_while_frozen(history: History) -> Iterator[Finding]:
    """Of each phase whose proof failed."""
    buffers = {name for bn in history.plan.layer_map.batch_norms for name in bn.buffers}
    buffers |= {name for name, _ in history.plan.layer_map.buffers}
    for proof in history.proofs:
        if not proof.changed:
            continue
        statistics = sum(name in buffers for name in proof.changed)
        kinds = [f"{statistics} of them buffers"] if statistics else []
        kinds += ["all parameters"] if not statistics else []
        more = f" and {len(proof.changed) - _SHOWN} more" if len(proof.changed) > _SHOWN else ""
        yield Finding(
            "error",
            ", ".join(proof.changed[:_SHOWN]) + more,
            f"{len(proof.changed)} of {proof.checked} frozen tensors changed in phase {proof.phase}, "
            f"{', '.join(kinds)}",
            "do not trust this model: something outside the optimizer writes to it"
            + (" (a module in train mode updates its statistics)" if statistics else ""),
            "frozen-tensor-moved",
        )
