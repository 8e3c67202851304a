"""One process at a time, from its start to its end: how long it took, and how much memory it and its children held."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ended:
    """A process that is over. `peak_rss_mib` is the kernel's, of the process or of the largest child it waited for;
    `peak_mib` is sampled, of all of them together, shared pages counted once, and None where it was not asked for.
    """

    code: int
    seconds: float
    peak_rss_mib: float
    stdout: str
    stderr: str
    timed_out: bool = False
    peak_mib: float | None = None
    peak_private_mib: float | None = None
    """The same without pages of files (libraries, memory maps), which the system may drop."""


def launch(
    command: Sequence[str],
    env: Mapping[str, str],
    log: Path,
    *,
    limit: float = 3600,
    samples_memory: bool = False,
) -> Ended:
    """Run a command in a session of its own, which is ended as a whole when it lasts longer than `limit` seconds."""
    log.parent.mkdir(parents=True, exist_ok=True)
    out, err = log.with_suffix(".out"), log.with_suffix(".err")
    sampler, late = _Sampler(), threading.Event()
    with out.open("wb") as stdout, err.open("wb") as stderr:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, env=dict(env), stdout=stdout, stderr=stderr, start_new_session=True
        )
        timer = threading.Timer(limit, _end, (process.pid, late))
        timer.start()
        if samples_memory:
            sampler.start(process.pid)
        try:
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - started
        except BaseException:
            _end(process.pid, late)
            raise
        finally:
            timer.cancel()
            sampler.stop()
    process.returncode = os.waitstatus_to_exitcode(status)
    told = out.read_text(errors="replace"), err.read_text(errors="replace")
    return Ended(
        process.returncode,
        seconds,
        usage.ru_maxrss / 1024,
        *told,
        late.is_set(),
        sampler.peak if samples_memory else None,
        sampler.peak_private if samples_memory else None,
    )


def _end(session: int, late: threading.Event) -> None:
    late.set()
    with suppress(ProcessLookupError):
        os.killpg(session, signal.SIGKILL)


class _Sampler:
    """The memory of a session, looked at ten times a second."""

    def __init__(self, seconds: float = 0.1) -> None:
        self.peak = self.peak_private = 0.0
        self._seconds, self._over = seconds, threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, session: int) -> None:
        self._thread = threading.Thread(target=self._watch, args=(session,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self, session: int) -> None:
        while not self._over.wait(self._seconds):
            held = [_held(process) for process in _of_session(session)]
            self.peak = max(self.peak, sum(whole for whole, _ in held) / 1024)
            self.peak_private = max(self.peak_private, sum(private for _, private in held) / 1024)


def _of_session(session: int) -> Iterator[Path]:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            yield process


def _held(process: Path) -> tuple[int, int]:
    """KiB of a process, each shared page divided by how many share it; and without pages of files."""
    try:
        lines = (process / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0, 0
    sizes = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:]}
    whole = sizes.get("Pss", 0)
    return whole, whole - sizes.get("Pss_File", 0)
