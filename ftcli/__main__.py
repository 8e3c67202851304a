"""The process `ftcli`, and `python -m ftcli`: what torchrun launches."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from io import TextIOWrapper

YOUNG = 10_000
"""Objects made before the garbage collector looks at them: an import of torch makes half a million, which all stay.

At Python's own 700 it walks them so often that the import takes a fifth longer.
"""


def main() -> None:
    """The process is ftcli's own: it ends with the command's exit code, whatever its caller does afterwards."""
    # pydantic would search every installed package for plugins, of which ftcli has none.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
    gc.set_threshold(YOUNG, 10, 10)
    codes: list[int] = []
    atexit.register(_leave, codes)  # the first to be registered is the last to be called
    from ftcli.cli.app import call
    from ftcli.cli.outcome import run
    from ftcli.stopping import listening

    if isinstance(sys.stdout, TextIOWrapper):  # a file name may hold what the terminal cannot show
        sys.stdout.reconfigure(errors="backslashreplace")
    with listening():
        codes.append(run(call, sys.argv[1:]))
    sys.exit(codes[0])


def _leave(codes: list[int]) -> None:
    """Threads have ended, and what others registered is done. Python would now take apart every module of torch,
    object by object, for more than a second; the system takes the memory back at once.
    """
    if not codes:
        return
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):  # ValueError: closed by somebody
        return  # Python tells of it
    os._exit(codes[0])


if __name__ == "__main__":
    main()
