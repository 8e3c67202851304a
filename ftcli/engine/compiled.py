"""The frozen part compiled: what it does to a batch is recorded, and made into one program by torch's inductor.

Its weights are constants there. Nothing of the network is traced by its code, which runs as always while its
operations are recorded: folded batch norms and cuts between modules are in the program as they are met.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from ftcli.engine.cache.home import programs_folder
from ftcli.engine.micro_batch import is_out_of_memory
from ftcli.events import Listener, Working
from ftcli.findings import Finding
from ftcli.plans.training_plan import Precision

Forward = Callable[[Tensor], Tensor]

MOST_ERROR = {"fp32": 1e-4, "bf16": 1e-2, "fp16": 1e-2}
"""How far a program may move what crosses the cut, relative to its norm: it rounds less often, which in fp32 was 5e-7
for ResNet-18 and 2e-6 for MobileNetV3, and nothing at all in bf16 for either, once their batch norms were folded."""


_FOLDER = "TORCHINDUCTOR_CACHE_DIR"


class NotCompiled(Exception):
    """There is no program: the finding says why."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.finding = Finding(
            "info",
            "runtime.compile",
            f"the frozen part is not compiled: {why}",
            "nothing to do; the run only takes longer",
            "frozen-part-not-compiled",
        )


@dataclass
class Programs:
    """Of the layers below `boundary`, for batches of `batch_size` images: others go through the network as ever."""

    boundary: int
    """The lowest at which something is kept: what is kept above it is made from there."""
    batch_size: int
    precision: Precision
    device: str
    tell: Listener
    seconds: float = 0.0
    """That compiling has taken."""
    _made: dict[str, Forward] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What makes it round otherwise than the network's own code."""
        return f"compiled below {self.boundary} by {_compiler()}"

    def way(self, of: str, eager: Forward) -> Forward:
        """`eager`, compiled once the first whole batch comes. `of` names it: its weights and all else it goes by.

        The batches must come under the autocast of this precision. Raises NotCompiled then, where that fails.
        """

        def through(images_BCHW: Tensor) -> Tensor:
            if len(images_BCHW) != self.batch_size:
                return eager(images_BCHW)
            if of not in self._made:
                self._made[of] = self._program(eager, images_BCHW)
            return self._made[of](images_BCHW)

        return through

    def _program(self, eager: Forward, images_BCHW: Tensor) -> Forward:
        self.tell(Working("compiling the frozen part", 0))
        started, exact = time.perf_counter(), eager(images_BCHW)
        program = _compiled(eager, images_BCHW, self.device)
        error = _error(program(images_BCHW), exact)
        if not error <= MOST_ERROR[self.precision]:
            raise NotCompiled(f"it would move what it makes of images by {error:.1e} of its norm")
        self.seconds += time.perf_counter() - started
        return program


def _compiled(eager: Forward, images_BCHW: Tensor, device: str) -> Forward:
    """Raises NotCompiled."""
    if device == "cpu" and not _compiler():
        raise NotCompiled("there is no C++ compiler (g++, or what CXX names)")
    _keep_programs()
    # It warns of a toolkit for CUDA that lies beside a torch without a GPU: nothing is made for one.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    try:
        from torch.fx.experimental.proxy_tensor import make_fx

        recorded = make_fx(eager)(images_BCHW)
        program = torch.compile(recorded, dynamic=False, fullgraph=True, options={"freezing": True})

        def run(images_BCHW: Tensor) -> Tensor:
            with torch.autocast(device, enabled=False):  # the casts have been recorded
                made: Tensor = program(images_BCHW)
                return made

        run(images_BCHW)
    except Exception as error:  # of three compilers, each with errors of its own
        if is_out_of_memory(error):
            raise
        raise NotCompiled(_first_line(error)) from error
    return run


def _keep_programs() -> None:
    """For the next run, where nobody has said where: inductor itself says a folder of its own as it is imported."""
    said = os.environ.get(_FOLDER, "")
    if not said or Path(said).name.startswith("torchinductor_"):
        os.environ[_FOLDER] = str(programs_folder())


@cache
def _compiler() -> str:
    """The C++ compiler that inductor takes, by its version; empty where there is none."""
    usual = "clang++" if sys.platform == "darwin" else "g++"
    found = shutil.which(os.environ.get("CXX") or usual)
    if found is None:
        return ""
    try:
        told = subprocess.run([found, "--version"], capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return ""
    return told.stdout.partition("\n")[0].strip()


def _error(program: Tensor, exact: Tensor) -> float:
    if program.shape != exact.shape or program.dtype != exact.dtype:
        return float("nan")
    return ((program.double() - exact.double()).norm() / exact.double().norm()).item()


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
