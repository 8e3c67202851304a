"""One process at a time in a run folder: a lock of the system's, which ends with its holder, however that ends."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ftcli.engine import locks
from ftcli.engine.files import cannot_write
from ftcli.errors import DISK_FULL, MachineError, RunLockedError

NAME = "run.lock"
"""In the run folder; who holds it stands in it. It goes with the run's end, and stays where the process was killed."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """The folder is made where it is not there. Raises RunLockedError, which names the holder, and MachineError;

    DiskFullError where there is no room for the lock itself.
    """
    try:
        descriptor = _taken(folder / NAME)
    except OSError as error:
        if error.errno in DISK_FULL:
            raise cannot_write(folder / NAME, error) from error
        what = f"cannot write to the run folder: {error.strerror}"
        raise MachineError(what, where=str(folder), remedy="give another --out") from error
    _held.add(descriptor)
    try:
        yield
    finally:
        if descriptor in _held:  # not in a child, which has let go of it already
            _held.discard(descriptor)
            with suppress(OSError):
                (folder / NAME).unlink()  # before it is let go: who comes next makes a file of its own
            os.close(descriptor)


def refuse_if_held(folder: Path) -> None:
    """Raises RunLockedError when somebody is at work there. Nothing is written."""
    try:
        descriptor = os.open(folder / NAME, os.O_RDONLY)
    except OSError:
        return
    try:
        if locks.take_alone(descriptor) is False:
            raise _locked(folder / NAME)
    finally:
        os.close(descriptor)


def remove_left(folder: Path) -> None:
    """The lock of a process that was killed; one that is held stays."""
    if (folder / NAME).exists():
        with suppress(MachineError, RunLockedError), held(folder):
            pass


def _taken(path: Path) -> int:
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:  # whoever was first has failed, and taken its folder away
            continue
        if locks.take_alone(descriptor) is False:
            os.close(descriptor)
            raise _locked(path)
        try:
            if locks.is_still(descriptor, path):
                _sign(descriptor)
                return descriptor
        except OSError:
            os.close(descriptor)  # what nobody signed, nobody holds
            raise
        os.close(descriptor)


def _sign(descriptor: int) -> None:
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    owner = {"pid": os.getpid(), "host": socket.gethostname(), "since": since}
    os.ftruncate(descriptor, 0)
    os.write(descriptor, json.dumps(owner).encode())


def _locked(path: Path) -> RunLockedError:
    try:
        owner = json.loads(path.read_bytes())
        who = f"process {owner['pid']} on {owner['host']}, since {owner['since']}"
    except (OSError, ValueError, LookupError, TypeError):  # it has not signed yet, or is gone again
        who = "another process"
    remedy = "wait for its end or stop it, or give another --out"
    return RunLockedError(f"the run folder is in use by {who}", where=str(path.parent), remedy=remedy)


_held: set[int] = set()
"""Descriptors of the locks of this process."""


def _let_go() -> None:
    """In a child that was forked (a loader's worker): it may outlive us for some seconds, and holds no lock."""
    while _held:
        os.close(_held.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
