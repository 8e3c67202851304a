"""How a command ends: every error as a message and an exit code, never as a traceback."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from errno import EACCES, EIO, ELOOP, EMFILE, ENAMETOOLONG, ENFILE, EPERM, EROFS
from tempfile import NamedTemporaryFile

from ftcli.broken_install import broken_install
from ftcli.errors import DISK_FULL, DiskFullError, FtcliError, MachineError
from ftcli.stopping import Terminated

INTERRUPTED = 130
TERMINATED = 143
CLOSED_PIPE = 141
"""What a process that SIGPIPE ends leaves; `ftcli recipes ls | head -1`."""
REFUSALS = (*DISK_FULL, EACCES, EPERM, EROFS, EMFILE, ENFILE, EIO, ENAMETOOLONG, ELOOP)
"""Errors of the operating system that are the machine's or the path's, wherever they come up."""


def run(command: Callable[[Sequence[str]], object], arguments: Sequence[str]) -> int:
    """Call the command; returns the exit code of the process."""
    try:
        code = _call(command, arguments)
        sys.stdout.flush()
    except FtcliError as error:
        return _told(broken_install(error) or error, as_json="--json" in arguments)
    except KeyboardInterrupt as stop:
        return TERMINATED if isinstance(stop, Terminated) else INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        return CLOSED_PIPE
    except Exception as error:
        if isinstance(error, OSError) and error.errno in REFUSALS:
            return _told(_refusal(error), as_json="--json" in arguments)
        broken = broken_install(error)
        return _bug(error) if broken is None else _told(broken, as_json="--json" in arguments)
    return code


def _call(command: Callable[[Sequence[str]], object], arguments: Sequence[str]) -> int:
    try:
        command(arguments)
    except SystemExit as end:
        caught = _caught(end)
        if caught is not None:
            raise caught from None
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _caught(end: SystemExit) -> BaseException | None:
    """What Typer has made an exit of, with a code of its own: a closed pipe, Ctrl-C."""
    error = end.__context__
    while error is not None and not isinstance(error, (BrokenPipeError, KeyboardInterrupt)):
        error = error.__context__
    return error


def _refusal(error: OSError) -> MachineError:
    where = None if error.filename is None else str(error.filename)
    what = error.strerror or str(error)
    if error.errno in DISK_FULL:
        return DiskFullError(what, where=where, remedy="make room there")
    return MachineError(what, where=where, remedy="check the path and its permissions")


def _told(error: FtcliError, as_json: bool) -> int:
    from ftcli.report.errors import error_json, show_error

    if _debug():
        traceback.print_exc()
    show_error(error)
    if as_json:
        print(error_json(error), flush=True)
    return error.exit_code


def _bug(error: Exception) -> int:
    """One line on screen, the rest where it can be sent from."""
    if _debug():
        traceback.print_exc()
        return FtcliError.exit_code
    try:
        with NamedTemporaryFile("w", prefix="ftcli-", suffix=".txt", delete=False, encoding="utf-8") as file:
            traceback.print_exc(file=file)
        where = f"the traceback is in {file.name}, please report it"
    except OSError:
        where = "FTCLI_DEBUG=1 shows the traceback"
    print(f"internal error: {type(error).__name__}; {where}", file=sys.stderr)
    return FtcliError.exit_code


def _debug() -> bool:
    return os.environ.get("FTCLI_DEBUG", "") not in ("", "0")
