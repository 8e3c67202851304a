"""A corpus in text files: a folder of them, each a document, or one file that is divided in its order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ftcli.errors import DataError
from ftcli.plans.data_splits import TEST, TRAIN, VAL, DataSplits, Example
from ftcli.registry import Many

from ._class_folders import check_names, folder_root
from ._common import SourcePath, Split
from ._corpus import CorpusOptions, Document, splits_of
from ._files import files_below, name_of, told
from ._manifest import TABLES
from ._patterns import with_one_group
from ._texts import of_rows, read_text

LONGEST = 1_000_000_000
"""Bytes of a document; a file beyond it is not read."""
Suffix = Annotated[str, Field(pattern=r"^\.[^./\\]+$")]


class Corpus(CorpusOptions):
    """A folder, at any depth of which every file of `suffixes` is a document; or one text file.

    One file is divided in its order: its beginning trains, then comes what validates, and its end tests.
    """

    kind: Literal["corpus"]
    path: SourcePath
    """The folder or the file, relative to the current directory."""
    suffixes: Many[Suffix] = Field(default=(".txt", ".md", ".py"), min_length=1)
    """Which files of a folder are documents; compared in lower case."""
    group: Annotated[str, AfterValidator(with_one_group)] | None = None
    """A regular expression for a file's path below the folder; its parentheses give the group: ([^/]+)/"""


def open_splits(options: Corpus, seed: int) -> DataSplits:
    path = Path(options.path)
    return _one_file(options, path) if path.is_file() else _folder(options, seed)


def _folder(options: Corpus, seed: int) -> DataSplits:
    root = folder_root(options.path, "corpus_csv")
    found, others = files_below(root, {suffix.lower() for suffix in options.suffixes})
    if not found:
        what = f"no files of {', '.join(options.suffixes)}{told(others)}"
        raise DataError(what, where=options.path, remedy="name those of your texts: data.suffixes")
    files = sorted((name_of(path.relative_to(root)), path) for path in found)
    check_names(root, [key for key, _ in files])
    documents = [Document(key, _group(options, key)) for key, _ in files]
    load = _Files(tuple(path for _, path in files))
    return splits_of(options, options.path, documents, load, seed)


class _Files:
    """The `load` of a DataSplits whose documents are files; it can be sent to another process."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = files

    def __call__(self, index: int) -> str:
        return read_text(self.files[index], LONGEST)


def _group(options: Corpus, key: str) -> str | None:
    """None where the path does not have the form: only a split by group minds that."""
    match = re.search(options.group, key) if options.group is not None else None
    return match.group(1) or None if match else None


def _one_file(options: Corpus, path: Path) -> DataSplits:
    """Raises DataError for a table, a split that needs more than one document, or a file of too few lines."""
    asked, suffix = options.split, path.suffix.lower()
    if suffix in TABLES and suffix not in map(str.lower, options.suffixes):
        remedy = f"data.kind: corpus_csv takes its documents from a column; its bare text: data.suffixes: [{suffix}]"
        raise DataError("this is a table, with a document in every row", where=options.path, remedy=remedy)
    if asked.by != "ratio" or asked.file is not None or asked.train_size is not None:
        what = "one file is divided in its order, by split.val and split.test alone"
        raise DataError(what, where="data.split", remedy="remove the others, or give a folder of files")
    lines = read_text(path, LONGEST).splitlines(keepends=True)
    cuts = _cuts(lines, asked)
    if len(set(cuts)) < len(cuts):
        what = f"{len(lines)} line{'s' * (len(lines) != 1)} cannot be divided into train, val and test"
        raise DataError(what, where=options.path, remedy="give more text, or break its lines")
    parts = list(zip(cuts, cuts[1:], strict=False))
    return DataSplits(
        source=options.path,
        classes=(),
        examples=tuple(Example(f"{path.name}:{start + 1}-{end}", ()) for start, end in parts),
        streams={stream: (number,) for number, stream in enumerate((TRAIN, VAL, TEST))},
        load=of_rows(["".join(lines[start:end]) for start, end in parts]),
        how="one file in its order: the beginning trains, the end tests",
        texts=True,
    )


def _cuts(lines: Sequence[str], shares: Split) -> tuple[int, ...]:
    """The lines before which the streams begin, and the number of lines: by characters, as near as lines allow."""
    upto = [0, *accumulate(map(len, lines))]
    wanted = ((1 - shares.val - shares.test) * upto[-1], (1 - shares.test) * upto[-1])
    nearest = (min(range(len(upto)), key=lambda at: abs(upto[at] - point)) for point in wanted)
    return (0, *nearest, len(lines))
