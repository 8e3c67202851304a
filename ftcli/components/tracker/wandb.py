"""Weights & Biases: a run of a project, sent at once or kept in the run's folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ftcli.registry import Choice

from ._protocol import Facts, TrackedRun, Tracker

if TYPE_CHECKING:
    from wandb import Run

_PATIENCE = 30.0
"""Seconds that a server may take to answer."""


class WandB(Choice):
    """A run of a project in Weights & Biases. Needs `ftcli[wandb]`."""

    kind: Literal["wandb"]
    project: str = "ftcli"
    """Its name."""
    mode: Literal["online", "offline"] = "online"
    """offline: kept in RUN/wandb; `wandb sync` sends it later."""


def open_tracker(options: WandB, run: TrackedRun) -> Tracker:
    """Goes on with the same run where a run goes on. Raises ImportError without the package, wandb.Error."""
    import wandb

    settings = wandb.Settings(init_timeout=_PATIENCE, silent=True, console="off")
    made = wandb.init(
        project=options.project,
        name=run.name,
        id=run.identity,
        resume="allow",
        dir=str(run.path),
        mode=options.mode,
        settings=settings,
    )
    return _WandB(made)


@dataclass(frozen=True)
class _WandB:
    run: Run

    def begin(self, facts: Facts) -> None:
        self.run.config.update(dict(facts), allow_val_change=True)

    def log(self, values: Mapping[str, float], epoch: int) -> None:
        self.run.log({**values, "epoch": epoch})

    def close(self, *, complete: bool) -> None:
        self.run.finish(exit_code=0 if complete else 1)
