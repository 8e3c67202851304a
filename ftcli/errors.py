"""What can go wrong, each with what, where, how to mend it, and the exit code of the process.

FtcliError                      1   a bug of ours, or a promise broken
├── UsageError                  2   the command line is wrong
│   └── RecipeError             2   the recipe is wrong; holds every problem at once
├── MachineError                3   device, path or permission
│   └── DiskFullError          23   no room for what a run writes
├── DataError                   4   the user's data
├── ModelError                  5   backbone, weights or checkpoint
├── GateError                   6   a quality gate that was asked for failed
├── RunsFailedError             7   some runs of a study failed; the others are there
├── FrozenTensorChanged         1   a tensor that the plan froze has moved
├── NonFiniteError             20   NaN or infinity in a loss, a gradient, a weight or a buffer
├── OutOfMemory                21   too little memory for a single example
├── RunLockedError             24   another process is at work in the run folder
├── LoaderError                25   processes that load images die again and again
└── StoppedByUser             130   Ctrl-C
    └── StoppedBySystem       143   SIGTERM
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from errno import EDQUOT, EFBIG, ENOSPC
from typing import Any

DISK_FULL = (ENOSPC, EDQUOT, EFBIG)
"""What the system says where there is no room: on the disk, in a quota, below a limit."""


class FtcliError(Exception):
    """An error with something to tell: `what` happened, `where`, and the `remedy`."""

    exit_code = 1

    def __init__(self, what: str, *, where: str | None = None, remedy: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy


class UsageError(FtcliError):
    exit_code = 2


class MachineError(FtcliError):
    exit_code = 3


class DiskFullError(MachineError):
    exit_code = 23


class DataError(FtcliError):
    exit_code = 4


class ModelError(FtcliError):
    exit_code = 5


class GateError(FtcliError):
    exit_code = 6


class RunsFailedError(FtcliError):
    exit_code = 7


class FrozenTensorChanged(FtcliError):
    exit_code = 1


class NonFiniteError(FtcliError):
    """`diagnosis`, as JSON has it: where in the run, which files, LRs and norms; empty where nothing trained."""

    exit_code = 20
    diagnosis: Mapping[str, Any] = {}


class OutOfMemory(FtcliError):
    exit_code = 21


class LoaderError(FtcliError):
    exit_code = 25


class RunLockedError(FtcliError):
    exit_code = 24


class StoppedByUser(FtcliError):
    exit_code = 130


class StoppedBySystem(StoppedByUser):
    exit_code = 143


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong with a recipe. `path` is the recipe path (`optimizer.lr`), `at` is `file:line:column`."""

    path: str
    message: str
    remedy: str | None = None
    at: str | None = None


class RecipeError(UsageError):
    """Everything that is wrong with a recipe, told at once."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        count = len(problems)
        super().__init__("the recipe has a problem" if count == 1 else f"the recipe has {count} problems")
