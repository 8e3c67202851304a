"""TensorBoard: event files in the run's own folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ftcli.registry import Choice

from ._protocol import Facts, TrackedRun, Tracker

if TYPE_CHECKING:
    from torch.utils.tensorboard.writer import SummaryWriter


class TensorBoard(Choice):
    """Event files in RUN/tensorboard; look with `tensorboard --logdir runs`. Needs `ftcli[tensorboard]`."""

    kind: Literal["tensorboard"]


def open_tracker(options: TensorBoard, run: TrackedRun) -> Tracker:
    """Raises ImportError without the package, OSError."""
    from torch.utils.tensorboard import SummaryWriter

    return _TensorBoard(SummaryWriter(log_dir=str(run.path / "tensorboard")))


@dataclass(frozen=True)
class _TensorBoard:
    writer: SummaryWriter

    def begin(self, facts: Facts) -> None:
        table = "\n".join(["|||", "|-|-|", *(f"| {name} | {value} |" for name, value in facts.items())])
        self.writer.add_text("run", table)

    def log(self, values: Mapping[str, float], epoch: int) -> None:
        for name, value in values.items():
            self.writer.add_scalar(name, value, epoch)
        self.writer.flush()

    def close(self, *, complete: bool) -> None:
        self.writer.close()
