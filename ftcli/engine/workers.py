"""Batches from a DataLoader whose workers may die: another loader goes on with the batch that they owed.

torch tells of a dead worker by a signal handler that raises in whatever the main thread is at, in the middle of an
optimizer's step too. Here a death is noticed only while a batch is waited for.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import active_children
from multiprocessing.process import BaseProcess
from threading import current_thread, main_thread
from types import FrameType
from typing import Any

from torch.utils.data import DataLoader

from ftcli.errors import LoaderError
from ftcli.events import Listener, Noticed
from ftcli.findings import Finding
from ftcli.stopping import safe_point

RESTARTS = 3
"""In one pass over a stream, an epoch of training or an evaluation."""
GRACE_SECONDS = 1.0
"""A worker's pipes close a moment before it can be seen to be dead; that ends the wait."""
REMEDY = "lower runtime.workers (0: none); SIGKILL is mostly the system's, short of memory: see its log"
NO_SHARED_MEMORY = ("unable to allocate shared memory", "unable to resize file </torch_")
"""In the words of a worker's RuntimeError: batches come through /dev/shm, of which a container has 64 MB."""
ROOM_REMEDY = "set runtime.workers: 0, or give the container more shared memory (--shm-size=2g or --ipc=host)"

UNBROKEN = ("tempfile", "multiprocessing.popen_fork")
"""Modules at whose work a death is not told, but right after it: torch opens temporary files where a message was cut
off, and one would be left behind; a process is asked for its exit code once, and would count as alive for ever."""


class _WorkerDied(Exception):
    """Said how, by the worker's exit code."""


def batches_of(load: Callable[[int], DataLoader[Any]], tell: Listener) -> Iterator[Any]:
    """What `load(start)` gives, from batch 0 on; `load(k)` must begin with the k-th batch of `load(0)`.

    Raises LoaderError when workers die again and again, or have no room for a batch.
    """
    done = 0
    for restarts in range(RESTARTS + 1):
        try:
            for batch in _watched(load(done)):
                yield batch
                done += 1
            return
        except _WorkerDied as death:
            how = str(death)
        safe_point()  # the signal that ended the worker may have been sent to all of us
        if restarts < RESTARTS:
            tell(Noticed(_restarted(how, done)))
    raise LoaderError(
        f"processes that load images died {RESTARTS + 1} times in one epoch, the last {how}",
        where="runtime.workers",
        remedy=REMEDY,
    )


def _watched(loader: DataLoader[Any]) -> Iterator[Any]:
    """Raises _WorkerDied, between two batches only."""
    if not loader.num_workers:
        yield from loader
        return
    others, handler = active_children(), _of_child()
    iterator = iter(loader)
    _without_torch_s(handler)
    workers = [process for process in active_children() if process not in others]
    nothing = object()
    while (batch := _next(iterator, workers, nothing)) is not nothing:
        yield batch


def _next(iterator: Iterator[Any], workers: Sequence[BaseProcess], nothing: object) -> Any:
    with _raising_on_death(workers):
        try:
            return next(iterator, nothing)
        except (RuntimeError, OSError, EOFError) as error:  # as from a queue whose other end is gone
            _refuse_no_room(error)
            time.sleep(GRACE_SECONDS)
            _refuse_dead(workers)
            raise


def _refuse_no_room(error: Exception) -> None:
    if any(words in str(error) for words in NO_SHARED_MEMORY):
        what = "no room in shared memory (/dev/shm) for a batch of images"
        raise LoaderError(what, where="runtime.workers", remedy=ROOM_REMEDY) from error


@contextmanager
def _raising_on_death(workers: Sequence[BaseProcess]) -> Iterator[None]:
    """A message that was cut off in the middle would be waited for without end."""
    if current_thread() is not main_thread():  # which alone has handlers; torch looks after them every 5 s
        _refuse_dead(workers)
        yield
        return
    watched: list[BaseProcess] = []  # the handler raises only where it is sure to be taken away again

    def on_death(number: int, frame: FrameType | None) -> None:
        if not _is_within(UNBROKEN, frame):
            _refuse_dead(watched)

    before = signal.signal(signal.SIGCHLD, on_death)
    try:
        watched.extend(workers)
        _refuse_dead(workers)
        yield
    finally:
        watched.clear()
        signal.signal(signal.SIGCHLD, before)


def _is_within(modules: Sequence[str], frame: FrameType | None) -> bool:
    while frame is not None and frame.f_globals.get("__name__") not in modules:
        frame = frame.f_back
    return frame is not None


def _refuse_dead(workers: Sequence[BaseProcess]) -> None:
    for worker in workers:
        if worker.exitcode:
            raise _WorkerDied(_how(worker.exitcode))


def _how(exit_code: int) -> str:
    return f"with exit code {exit_code}" if exit_code > 0 else f"by {signal.Signals(-exit_code).name}"


def _of_child() -> Any:
    """The handler of SIGCHLD; the system's own where it is torch's, which another loader has left."""
    handler = signal.getsignal(signal.SIGCHLD)
    return signal.SIG_DFL if _is_torch_s(handler) else handler


def _without_torch_s(handler: Any) -> None:
    if _is_torch_s(signal.getsignal(signal.SIGCHLD)) and current_thread() is main_thread():
        signal.signal(signal.SIGCHLD, handler)


def _is_torch_s(handler: Any) -> bool:
    return str(getattr(handler, "__module__", "")).startswith("torch.")


def _restarted(how: str, done: int) -> Finding:
    message = (
        f"a process that loads images died {how}: another one goes on with batch {done}, the same numbers"
    )
    return Finding("warning", "runtime.workers", message, REMEDY, "loader-worker-died")
