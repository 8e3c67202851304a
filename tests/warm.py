"""Commands of ftcli in real processes that can be killed, each forked from one that has imported everything.

A process that starts from nothing imports torch for seconds, which would be most of a test with many of them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
COUNTS = "FTCLI_TEST_COUNTS"
"""A file that gets the number of calls of every target; see `watch`."""
KILL_AT = "FTCLI_TEST_KILL_AT"
"""TARGET:N: the process kills itself, as kill -9 does, where the N-th call of the target begins."""


@dataclass(frozen=True)
class Process:
    """A command under way. `log` gets what it prints."""

    pid: int
    log: Path
    server: Server

    def send(self, number: int) -> None:
        """Nothing where it has ended: it is not waited for before `wait`, so that its id is its own."""
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Its exit code; minus the signal that ended it."""
        return int(self.server.ask({"wait": self.pid}))


@dataclass
class Server:
    """The process that all others are forked from."""

    process: subprocess.Popen[str]
    logs: Path
    _started: int = field(default=0)

    def ask(self, job: dict[str, Any]) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def start(self, *arguments: str | Path, cwd: Path, **environment: str) -> Process:
        self._started += 1
        log = self.logs / f"{self._started:04}.txt"
        log.touch()
        job = {"arguments": [str(a) for a in arguments], "cwd": str(cwd), "log": str(log), "env": environment}
        return Process(int(self.ask(job)), log, self)


@contextmanager
def warm_server(logs: Path) -> Iterator[Server]:
    code = "from tests.warm import serve; serve()"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        yield Server(process, logs)
        assert process.stdin is not None
        process.stdin.close()


IMPORTED = (
    "ftcli.workflows.train",
    "ftcli.cli.train",
    "ftcli.report.summary",
    "timm",
    "torchmetrics.classification",
)
"""Here and not in a thread, whose half an import a fork would inherit."""


def serve() -> None:
    """The server itself: a line of JSON for each job, and one for each answer."""
    for name in IMPORTED:
        import_module(name)
    for line in sys.stdin:
        job = json.loads(line)
        answer = _waited(job["wait"]) if "wait" in job else _forked(job)
        print(json.dumps(answer), flush=True)


def _waited(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _forked(job: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job's ignores it
        code = _command(job)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _command(job: dict[str, Any]) -> int:
    from ftcli.__main__ import main

    log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(job["cwd"])
    os.environ.update(job["env"])
    sys.argv = ["ftcli", *job["arguments"]]
    with watched(dict(os.environ)):
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0)
    return 0


TARGETS = {
    "step": "ftcli.engine.step.Stepper.step",
    "update": "torch.amp.grad_scaler.GradScaler.step",
    "evaluation": "ftcli.engine.epoch.predict_logits",
    "phase": "ftcli.engine.fit.apply_mask",
    "write": "ftcli.engine.checkpoints.write_proved",
    "pointer": "ftcli.engine.checkpoints._point_to",
    "end": "ftcli.engine.run_folder.RunFolder.complete",
    "page": "ftcli.report.html.write.write_report",
}
"""Where a process may be made to kill itself."""


@contextmanager
def watched(environment: dict[str, str]) -> Iterator[None]:
    """Calls of the targets are counted, and one of them may be the last thing that the process does."""
    name, _, number = environment.get(KILL_AT, "").partition(":")
    counts: Counter[str] = Counter()
    for target, path in TARGETS.items():
        _watch(target, path, counts, int(number) if target == name else None)
    try:
        yield
    finally:
        if COUNTS in environment:
            Path(environment[COUNTS]).write_text(json.dumps(counts))


def _watch(target: str, path: str, counts: Counter[str], last: int | None) -> None:
    owner, _, name = path.rpartition(".")
    holder = _found(owner)
    own: Callable[..., Any] = getattr(holder, name)

    def calling(*arguments: Any, **options: Any) -> Any:
        counts[target] += 1
        if counts[target] == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return own(*arguments, **options)

    setattr(holder, name, calling)


def _found(path: str) -> Any:
    """A module, or a class in one."""
    try:
        return import_module(path)
    except ModuleNotFoundError:
        module, _, name = path.rpartition(".")
        return getattr(import_module(module), name)
