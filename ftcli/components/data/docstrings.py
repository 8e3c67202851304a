"""Docstrings of Python's own packages, labelled by the package: English texts that every machine has."""

from __future__ import annotations

import ast
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from ftcli.errors import DataError
from ftcli.plans.data_splits import TRAIN, DataSplits, Example

from ._common import complete
from ._texts import TextOptions, of_rows

PACKAGES = ("asyncio", "email", "http", "importlib", "logging", "multiprocessing", "unittest", "xml")
FEWEST_WORDS = 8
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class Docstrings(TextOptions):
    """About 1,500 docstrings of eight packages of Python's standard library; which ones depends on its version.

    The sources are read, and none of them is run. A docstring that stands in several places is taken once.
    """

    kind: Literal["docstrings"]


class _Docstring(NamedTuple):
    key: str
    text: str
    package: str


def open_splits(options: Docstrings, seed: int) -> DataSplits:
    library = Path(sysconfig.get_paths()["stdlib"])
    found = _docstrings(library)
    missing = [name for name in PACKAGES if not any(each.package == name for each in found)]
    if missing:
        what = f"this Python has no sources of {', '.join(missing)}"
        raise DataError(what, where=str(library), remedy="use a Python whose standard library is whole")
    splits = DataSplits(
        source=f"docstrings of Python {sys.version_info.major}.{sys.version_info.minor}",
        classes=PACKAGES,
        examples=tuple(Example(each.key, PACKAGES.index(each.package)) for each in found),
        streams={TRAIN: tuple(range(len(found)))},
        load=of_rows([each.text for each in found]),
        texts=True,
    )
    return complete(splits, options.split, seed, options.kind)


@cache
def _docstrings(library: Path) -> tuple[_Docstring, ...]:
    """Each once, by package and file, and in each file from the top."""
    first: dict[str, _Docstring] = {}
    for each in _every_one(library):
        first.setdefault(each.text.casefold(), each)
    return tuple(first.values())


def _every_one(library: Path) -> Iterator[_Docstring]:
    """Blanks and line breaks are single blanks."""
    for package in PACKAGES:
        for path in sorted((library / package).rglob("*.py")):
            if not {"test", "tests"} & set(path.relative_to(library).parts):
                for line, text in _of_file(path):
                    if len(text.split()) >= FEWEST_WORDS:
                        yield _Docstring(f"{path.relative_to(library).as_posix()}:{line}", text, package)


def _of_file(path: Path) -> Iterator[tuple[int, str]]:
    """The line that each stands at, 0 for the file's own, and the text."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, _DOCUMENTED) and (text := ast.get_docstring(node)):
            yield getattr(node, "lineno", 0), " ".join(text.split())
