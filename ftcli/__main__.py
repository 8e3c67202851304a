"""The process `ftcli`, and `python -m ftcli`: what torchrun launches."""

from __future__ import annotations

import sys


def main() -> None:
    from ftcli.cli.app import call
    from ftcli.cli.outcome import run

    sys.stdout.reconfigure(errors="backslashreplace")  # a file name may hold what the terminal cannot show
    sys.exit(run(call, sys.argv[1:]))


if __name__ == "__main__":
    main()
