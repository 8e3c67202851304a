"""The process `ftcli`, and `python -m ftcli`: what torchrun launches."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper


def main() -> None:
    # pydantic would search every installed package for plugins, of which ftcli has none.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
    from ftcli.cli.app import call
    from ftcli.cli.outcome import run
    from ftcli.stopping import listening

    if isinstance(sys.stdout, TextIOWrapper):  # a file name may hold what the terminal cannot show
        sys.stdout.reconfigure(errors="backslashreplace")
    with listening():
        code = run(call, sys.argv[1:])
    sys.exit(code)


if __name__ == "__main__":
    main()
