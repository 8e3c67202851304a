"""How a command gives its result: as JSON alone on stdout, or as something to read."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType


@contextmanager
def only_the_result_on_stdout() -> Iterator[None]:
    """What libraries print meanwhile (torch.hub does, of a download) goes to stderr."""
    with redirect_stdout(sys.stderr):
        yield


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False), flush=True)


def print_view(view: RenderableType) -> None:
    from ftcli.report.console import console_for, show

    show(console_for(sys.stdout), view)
