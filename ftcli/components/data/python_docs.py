"""The documentation in Python's standard library, a document a module: an English corpus that every machine has."""

from __future__ import annotations

import ast
import sys
import sysconfig
from functools import cache
from pathlib import Path
from typing import Literal

from ftcli.errors import DataError
from ftcli.plans.data_splits import DataSplits

from ._corpus import CorpusOptions, Document, splits_of
from ._texts import of_rows

FEWEST_WORDS = 100
"""Of a document; modules with less to say are left out."""
_LEFT_OUT = frozenset({"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__"})
"""Folders at any depth: tests, and packages that are not Python's own."""
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class PythonDocs(CorpusOptions):
    """The docstrings of each module of Python's standard library, one below the other; which depends on its version.

    About 330 documents, 1.7 MB. The sources are read, and none of them is run. The group is the package.
    """

    kind: Literal["python_docs"]


def open_splits(options: PythonDocs, seed: int) -> DataSplits:
    library = Path(sysconfig.get_paths()["stdlib"])
    found = _documents(library)
    if len(found) < 100:
        what = f"this Python has the documentation of {len(found)} modules alone"
        raise DataError(what, where=str(library), remedy="use a Python whose standard library is whole")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    documents = [Document(key, key.partition("/")[0]) for key, _ in found]
    load = of_rows([text for _, text in found])
    return splits_of(options, f"documentation of Python {version}", documents, load, seed)


@cache
def _documents(library: Path) -> tuple[tuple[str, str], ...]:
    """Paths below the library and texts. A docstring that stands in several modules is taken once."""
    seen: set[str] = set()
    found = []
    for path in sorted(library.rglob("*.py"), key=lambda path: path.relative_to(library).as_posix()):
        if not _LEFT_OUT & set(path.relative_to(library).parts):
            new = [text for text in _docstrings(path) if text not in seen]
            seen.update(new)
            document = "\n\n".join(new) + "\n"
            if len(document.split()) >= FEWEST_WORDS:
                found.append((path.relative_to(library).as_posix(), document))
    return tuple(found)


def _docstrings(path: Path) -> list[str]:
    """From the top of the file; none of a file that this Python cannot read."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return []
    documented = [node for node in ast.walk(tree) if isinstance(node, _DOCUMENTED)]
    documented.sort(key=lambda node: getattr(node, "lineno", 0))
    return [text.strip() for node in documented if (text := ast.get_docstring(node))]
