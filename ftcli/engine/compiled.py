"""The frozen part compiled: what it does to a batch is recorded, and made into one program by torch's inductor.

Its weights are constants there. Nothing of the network is traced by its code, which runs as always while its
operations are recorded: folded batch norms and cuts between modules are in the program as they are met. Kernels are
kept where inductor keeps them (TORCHINDUCTOR_CACHE_DIR), for the next run.
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
from importlib.metadata import PackageNotFoundError, version

import torch
from torch import Tensor

from ftcli.engine.micro_batch import first_line
from ftcli.events import Listener, Working
from ftcli.findings import Finding
from ftcli.stopping import safe_point

Forward = Callable[[Tensor], Tensor]

MOST_ERROR, MOST_MORE = 1e-4, 1.2
"""How far a program may lie from what the network makes in fp32, relative to its norm: the first, and as much more as
the network itself in the precision of the run, times the second. In fp32 it was 5e-7 for ResNet-18 and 2e-6 for
MobileNetV3; in bf16 the programs of six backbones lay 0.87 to 1.03 times as far as the networks."""
FORBID = ("TORCH_COMPILE_DISABLE", "TORCHDYNAMO_DISABLE")
"""With one of these torch would run what was recorded as it is."""
COMPILERS = {"darwin": "clang++", "win32": "cl"}
"""Inductor's own choice on a CPU, where CXX says nothing; else g++."""


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
    """For batches of `batch_size` images; others go through the network as ever."""

    batch_size: int
    device: str
    tell: Listener
    seconds: float = 0.0
    """That compiling has taken."""
    _made: dict[str, Forward] = field(default_factory=dict)
    """The last one: it holds a copy of the weights."""

    @property
    def name(self) -> str:
        """What makes it round otherwise than the network's own code."""
        return f"compiled by {_compiler(self.device)}"

    def way(self, of: str, eager: Forward) -> Forward:
        """`eager`, compiled once the first whole batch comes. `of` names it: its weights and all else it goes by.

        It is to be called under the autocast of the run. Raises NotCompiled then, where there is no program.
        """

        def through(images_BCHW: Tensor) -> Tensor:
            if len(images_BCHW) != self.batch_size:
                return eager(images_BCHW)
            images_BCHW = images_BCHW.to(self.device, non_blocking=True).contiguous()
            if of not in self._made:
                self._made.clear()
                self._made[of] = self._program(eager, images_BCHW)
            return self._made[of](images_BCHW)

        return through

    def _program(self, eager: Forward, images_BCHW: Tensor) -> Forward:
        """One that is as near to fp32 as the network is."""
        self.tell(Working("compiling the frozen part", 0))
        started, own = time.perf_counter(), eager(images_BCHW)
        with torch.autocast(self.device, enabled=False):
            exact = eager(images_BCHW)
        most = MOST_ERROR + MOST_MORE * _error(own, exact)
        program = _compiled(eager, images_BCHW, self.device)
        made = program(images_BCHW)
        error = _error(made, exact)
        if made.dtype != own.dtype or not error <= most:
            raise NotCompiled(f"it would move what it makes of images by {error:.1e} of its norm")
        self.seconds += time.perf_counter() - started
        return program


def _compiled(eager: Forward, images_BCHW: Tensor, device: str) -> Forward:
    """Raises NotCompiled, whatever went wrong: memory too, of which the network itself may need less."""
    forbidden = next((name for name in FORBID if os.environ.get(name) == "1"), None)
    if forbidden:
        raise NotCompiled(f"{forbidden} forbids it")
    if not _compiler(device):
        raise NotCompiled(f"there is no C++ compiler ({_usual()}, or what CXX names)")
    # It warns of a toolkit for CUDA that lies beside a torch without a GPU: nothing is made for one.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)

    def run(images_BCHW: Tensor) -> Tensor:
        try:
            with torch.autocast(device, enabled=False):  # the casts have been recorded
                made: Tensor = program(images_BCHW)
                return made
        except Exception as error:
            raise _failed(error) from error

    try:
        from torch.fx.experimental.proxy_tensor import make_fx

        recorded = make_fx(eager)(images_BCHW)
        program = torch.compile(recorded, dynamic=False, fullgraph=True, options={"freezing": True})
    except Exception as error:
        raise _failed(error) from error
    return run


def _failed(error: Exception) -> NotCompiled:
    """Three compilers have errors of their own; one that a signal has ended is none of theirs."""
    safe_point()
    return error if isinstance(error, NotCompiled) else NotCompiled(first_line(error))


@cache
def _compiler(device: str) -> str:
    """That which inductor takes, by its version; empty where there is none."""
    if device != "cpu":
        try:
            return f"triton {version('triton')}"
        except PackageNotFoundError:
            return device
    found = shutil.which(os.environ.get("CXX") or _usual())
    if found is None:
        return ""
    asked = [found] if sys.platform == "win32" else [found, "--version"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return ""
    return (told.stdout or told.stderr).partition("\n")[0].strip() or found


def _usual() -> str:
    return COMPILERS.get(sys.platform, "g++")


def _error(made: Tensor, exact: Tensor) -> float:
    """|made - exact| over |exact|, an image at a time: whole batches below a stage are large."""
    if made.shape != exact.shape:
        return float("nan")
    apart = norm = 0.0
    for one, other in zip(made, exact, strict=True):
        apart += (one.double() - other.double()).square().sum().item()
        norm += other.double().square().sum().item()
    return float((apart / norm) ** 0.5) if norm else float("nan")
