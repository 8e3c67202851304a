"""Which kind of data a folder or a table holds, by what lies in it, where nobody has said so."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ftcli.components.data._class_folders import stream_folders
from ftcli.components.data._files import files_below, sub_folders
from ftcli.components.data._manifest import TABLES, rows_of
from ftcli.components.data._texts import TEXT_SUFFIXES
from ftcli.components.data.corpus import Corpus
from ftcli.components.data.image import SUFFIXES
from ftcli.errors import DataError
from ftcli.registry import kinds

_OF_TABLES = ("csv", "text_csv", "corpus_csv")
_OF_FOLDERS = ("folder", "text_folder", "corpus")
_BESIDE = frozenset({"split", "group", "time", "weight", "id"})
"""Columns by their usual names that are no labels."""
_FEW = 0.1
"""Files of the other sort beside those that count: a README, a stray picture."""


def kind_of(path: Path, asked: Mapping[str, Any]) -> str:
    """As `data.kind` names it; `asked` are the options of data that are given.

    Raises DataError for what is no data, and for what could be of two kinds.
    """
    if path.is_dir():
        return _of_folder(path, _that_take(asked, _OF_FOLDERS))
    if path.suffix.lower() in TABLES:
        return _of_table(path, asked, _that_take(asked, _OF_TABLES))
    if path.suffix.lower() in TEXT_SUFFIXES:
        return "corpus"
    what = "this is no folder, no manifest (.csv, .jsonl), no text (.txt) and no recipe (.yaml)"
    raise DataError(what, where=str(path), remedy="give one of these")


def _that_take(asked: Mapping[str, Any], names: tuple[str, ...]) -> tuple[str, ...]:
    """The kinds that have every option which was given; all of them where none has, and the options are wrong."""
    options = kinds("data")
    return tuple(name for name in names if asked.keys() <= options[name].model_fields.keys()) or names


def _of_table(path: Path, asked: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """By its columns: file names of images, texts with labels, or texts alone."""
    columns = _columns(path)
    image, text = asked.get("image_column", "file_name"), asked.get("text_column", "text")
    labels = asked.get("label_columns") or [asked.get("label_column", "label")]
    labelled = set(labels) <= columns
    found = {"csv": image in columns, "text_csv": text in columns and labelled}
    found["corpus_csv"] = text in columns and not labelled
    seen = [name for name in names if found[name]]
    header = ", ".join(sorted(columns))[:200]
    if len(seen) > 1:
        raise _both(path, f"column {image!r} has images and column {text!r} texts", "csv", "text_csv")
    if not seen and len(names) > 1 and columns:
        what = f"neither a column {image!r} of images nor a column {text!r} of texts: {header}"
        remedy = "name it: --set data.image_column=NAME, or --set data.text_column=NAME"
        raise DataError(what, where=str(path), remedy=remedy)
    if seen == ["corpus_csv"] and "text_csv" in names and columns - _BESIDE - {text}:
        what = f"texts without a column {labels[0]!r} of labels: {header}"
        remedy = "name it: --set data.label_column=NAME; or --set data.kind=corpus_csv where there are none"
        raise DataError(what, where=str(path), remedy=remedy)
    return (seen or names)[0]


def _columns(path: Path) -> frozenset[str]:
    """Of the header, or of the first row that has its own."""
    header, rows = rows_of(path)
    first = next((cells for _, cells in rows if isinstance(cells, dict)), {}) if header is None else header
    return frozenset(first)


def _of_folder(path: Path, names: tuple[str, ...]) -> str:
    """By its files: images, or texts, which are labelled where class folders hold them."""
    if len(names) == 1:
        return names[0]
    images, texts = (len(files_below(path, suffixes)[0]) for suffixes in (SUFFIXES, TEXT_SUFFIXES))
    if not images and not texts:
        documents = files_below(path, Corpus.model_fields["suffixes"].default)[0]
        return "corpus" if documents and "corpus" in names else names[0]
    if min(images, texts) > _FEW * max(images, texts) and "folder" in names:
        raise _both(path, f"{images:,} images and {texts:,} texts", "folder", "text_folder")
    if images > texts and "folder" in names:
        return "folder"
    in_classes = _in_class_folders(path, texts)
    return next(name for name in ("text_folder" if in_classes else "corpus", *names[1:]) if name in names)


def _in_class_folders(path: Path, texts: int) -> bool:
    """Whether nearly all texts lie in folders of two classes or more."""
    try:
        streams = stream_folders(path)
    except DataError:
        return False
    held: dict[str, int] = {}
    for stream in streams.values():
        for folder in sub_folders(stream):
            held[folder.name] = held.get(folder.name, 0) + _count(folder, TEXT_SUFFIXES)
    return sum(map(bool, held.values())) > 1 and sum(held.values()) >= (1 - _FEW) * texts


def _count(folder: Path, suffixes: Collection[str]) -> int:
    return len(files_below(folder, suffixes)[0])


def _both(path: Path, seen: str, one: str, other: str) -> DataError:
    remedy = f"say which: --set data.kind={one}, or --set data.kind={other}"
    return DataError(f"these could be images or texts: {seen}", where=str(path), remedy=remedy)
