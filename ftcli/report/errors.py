"""Errors as people read them, one block a problem; and as programs do."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any, TextIO

from rich.padding import Padding
from rich.text import Text

from ftcli.errors import FtcliError, Problem, RecipeError
from ftcli.report.console import console_for


def show_error(error: FtcliError, stream: TextIO | None = None) -> None:
    """Write the error to stderr: wrapped and in colour on a terminal, one line a fact anywhere else."""
    console = console_for(stream or sys.stderr)
    for indent, text in _lines(error):
        if console.is_terminal:
            console.print(Padding(text, (0, 0, 0, indent)))
        else:
            console.print(Text(" " * indent) + text, soft_wrap=True)


def printable(text: str) -> str:
    """`text` on one line, everything a terminal would obey instead of show written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def error_json(error: FtcliError) -> str:
    """The error as one JSON object, for a caller that asked for `--json`."""
    told: dict[str, Any] = {"what": error.what, "where": error.where, "remedy": error.remedy}
    if isinstance(error, RecipeError):
        told["problems"] = [asdict(problem) for problem in error.problems]
    return json.dumps({"error": {**told, "exit_code": error.exit_code}}, indent=2)


def _lines(error: FtcliError) -> list[tuple[int, Text]]:
    """Each line with its indent."""
    lines = [(0, Text.assemble(("error: ", "bold red"), printable(error.what)))]
    if error.where:
        lines.append((2, Text(printable(error.where), "cyan")))
    if isinstance(error, RecipeError):
        for problem in error.problems:
            lines += _problem(problem)
    if error.remedy:
        lines.append((2, Text(printable(error.remedy), "green")))
    return lines


def _problem(problem: Problem) -> list[tuple[int, Text]]:
    """`file:line:column: path: message`, which editors and grep understand, and the remedy below."""
    line = Text()
    for part, style in ((problem.at, "cyan"), (problem.path, "bold")):
        if part:
            line.append(printable(part), style).append(": ")
    lines = [(2, line.append(printable(problem.message)))]
    if problem.remedy:
        lines.append((6, Text(printable(problem.remedy), "green")))
    return lines
