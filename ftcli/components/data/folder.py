"""A folder of images: one folder per class, or train, val and test with class folders in each."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator

from ftcli.errors import DataError
from ftcli.plans.data_splits import TEST, TRAIN, DataSplits, Example

from ._common import STREAM_NAMES, DataOptions, SourcePath, complete
from ._files import images_below, is_text, name_of, opener, sub_folders, told
from ._manifest import JSON_LINES

_LAYOUT = "put the images of each class into a folder of its name"
_METADATA = ("metadata.csv", "metadata.jsonl")
"""How Hugging Face calls a manifest that lies beside its images."""


def _with_one_group(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    if groups != 1:
        raise ValueError(f"one pair of parentheses marks the group, as in patient(\\d+); here are {groups}")
    return pattern


class Folder(DataOptions):
    """One folder per class; or train, val (valid, validation) and test with class folders in each.

    A val or test that is missing is split off train. Hidden files and files that are no images are ignored.
    """

    kind: Literal["folder"]
    path: SourcePath
    """The folder, relative to the current directory."""
    nested: bool = False
    """Classes are the folders at any depth that hold images, by their path: animals/cat."""
    group: Annotated[str, AfterValidator(_with_one_group)] | None = None
    """A regular expression for an image's path below the folder; its parentheses give the group: patient(\\d+)."""


def open_splits(options: Folder, seed: int) -> DataSplits:
    root = _root(options.path)
    streams = _stream_folders(root)
    found = sorted(
        (name_of(path.relative_to(root)), stream, name, path)
        for stream, folder in streams.items()
        for name, paths in _images_by_class(root, folder, options.nested).items()
        for path in paths
    )
    _check_names(root, found)
    empty = set() if options.nested else _classes(streams[TRAIN])
    classes = tuple(sorted(empty | {name for _, _, name, _ in found}))
    if len(classes) < 2 and (manifest := _manifest(root)):
        raise DataError("1 class folder, but a manifest", where=str(root), remedy=_read(manifest))
    label = {name: number for number, name in enumerate(classes)}
    splits = DataSplits(
        source=options.path,
        classes=classes,
        examples=tuple(Example(key, label[name], _group(options, key)) for key, _, name, _ in found),
        streams={s: tuple(i for i, row in enumerate(found) if row[1] == s) for s in streams},
        load=opener((path for *_, path in found), options.max_pixels),
        files=tuple(path for *_, path in found),
    )
    return complete(splits, options.split, seed, options.kind)


def open_undivided(path: str, max_pixels: int) -> DataSplits:
    """One folder per class, all of it one stream, TEST: to be looked at, not learned. Raises DataError."""
    root = _root(path)
    found = sorted(
        (name_of(image.relative_to(root)), TEST, name, image)
        for name, images in _images_by_class(root, root, nested=False).items()
        for image in images
    )
    _check_names(root, found)
    classes = tuple(sorted({name for _, _, name, _ in found}))
    return DataSplits(
        source=path,
        classes=classes,
        examples=tuple(Example(key, classes.index(name)) for key, _, name, _ in found),
        streams={TEST: tuple(range(len(found)))},
        load=opener((image for *_, image in found), max_pixels),
        files=tuple(image for *_, image in found),
    )


def _group(options: Folder, key: str) -> str | None:
    """None where the path does not have the form: only a split by group minds that."""
    match = re.search(options.group, key) if options.group is not None else None
    return match.group(1) or None if match else None


def _check_names(root: Path, found: list[tuple[str, str, str, Path]]) -> None:
    """Raises DataError for names that no record of the run could hold, and for two that become one."""
    bad = [ascii(key) for key, *_ in found if not is_text(key)]
    if bad:
        what = f"{len(bad)} names are not UTF-8, {bad[0]} first"
        raise DataError(what, where=str(root), remedy="rename these files or folders")
    twice = [key for (key, *_), (after, *_) in pairwise(found) if key == after]
    if twice:
        what = f"{len(twice)} names stand there twice, with accents composed and not: {twice[0]!r} first"
        raise DataError(what, where=str(root), remedy="rename or remove one of each")


def _root(path: str) -> Path:
    root = Path(path)
    if root.is_dir():
        return root
    if not root.exists():
        raise DataError("no such folder", where=path, remedy="paths are relative to the current directory")
    is_manifest = root.suffix.lower() in {".csv", *JSON_LINES}
    remedy = "a manifest is opened with kind: csv" if is_manifest else "unpack it first"
    raise DataError("this is a file, not a folder", where=path, remedy=remedy)


def _stream_folders(root: Path) -> dict[str, Path]:
    """Stream -> its folder; only train, the root itself, where the root holds class folders.

    A class may be called train (bus, car, train): it is one when other classes stand beside it and it holds
    no folders.
    """
    folders = sub_folders(root)
    named = [folder for folder in folders if folder.name.lower() in STREAM_NAMES]
    others = [folder.name for folder in folders if folder not in named]
    if not named or (others and not any(sub_folders(folder) for folder in named)):
        return {TRAIN: root}
    names = ", ".join(folder.name for folder in named)
    if others:
        remedy = "keep only train, val and test, or only class folders"
        raise DataError(f"splits ({names}) beside {', '.join(others)}", where=str(root), remedy=remedy)
    streams = {STREAM_NAMES[folder.name.lower()]: folder for folder in named}
    if len(streams) < len(named):
        raise DataError(f"two folders for one split: {names}", where=str(root), remedy="keep one of them")
    if TRAIN not in streams:
        raise DataError(f"no train folder beside {names}", where=str(root), remedy="add one")
    return streams


def _classes(folder: Path) -> set[str]:
    return {name_of(Path(class_folder.name)) for class_folder in sub_folders(folder)}


def _images_by_class(root: Path, folder: Path, nested: bool) -> dict[str, list[Path]]:
    """Class -> its images; a class without any is left out. Raises DataError when there is none at all."""
    by_class: dict[str, list[Path]] = {}
    for class_folder in sub_folders(folder):
        for path in images_below(class_folder)[0]:
            name = path.parent.relative_to(folder) if nested else class_folder.relative_to(folder)
            by_class.setdefault(name_of(name), []).append(path)
    if by_class:
        return by_class
    loose, others = images_below(folder)
    what = f"{len(loose)} images, but none in a class folder" if loose else f"no images{told(others)}"
    manifest = _manifest(folder) or _manifest(root)
    raise DataError(what, where=str(folder), remedy=_read(manifest) if manifest else _LAYOUT)


def _manifest(folder: Path) -> Path | None:
    return next((folder / name for name in _METADATA if (folder / name).is_file()), None)


def _read(manifest: Path) -> str:
    return f"read its manifest: data.kind csv, data.path {manifest}"
