"""A folder of images: one folder per class, or train, val and test with class folders in each."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ftcli.errors import DataError
from ftcli.plans.data_splits import TRAIN, DataSplits, Example

from ._common import STREAM_NAMES, DataOptions, SourcePath, complete
from ._files import images_below, name_of, opener, sub_folders, told

_LAYOUT = "put the images of each class into a folder of its name"


class Folder(DataOptions):
    """One folder per class; or train, val (valid, validation) and test with class folders in each.

    A val or test that is missing is split off train. Hidden files and files that are no images are ignored.
    """

    kind: Literal["folder"]
    path: SourcePath
    """The folder, relative to the current directory."""


def open_splits(options: Folder, seed: int) -> DataSplits:
    root = _root(options.path)
    streams = _stream_folders(root)
    found = sorted(
        (name_of(path.relative_to(root)), stream, name, path)
        for stream, folder in streams.items()
        for name, paths in _images_by_class(folder).items()
        for path in paths
    )
    classes = tuple(sorted(_classes(streams[TRAIN]) | {name for _, _, name, _ in found}))
    label = {name: number for number, name in enumerate(classes)}
    splits = DataSplits(
        source=options.path,
        classes=classes,
        examples=tuple(Example(key, label[name]) for key, _, name, _ in found),
        streams={s: tuple(i for i, row in enumerate(found) if row[1] == s) for s in streams},
        load=opener(path for *_, path in found),
        files=tuple(path for *_, path in found),
    )
    return complete(splits, options.split, seed)


def _root(path: str) -> Path:
    root = Path(path)
    if root.is_dir():
        return root
    if not root.exists():
        raise DataError("no such folder", where=path, remedy="paths are relative to the current directory")
    remedy = "a manifest is opened with kind: csv" if root.suffix.lower() == ".csv" else "unpack it first"
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


def _images_by_class(folder: Path) -> dict[str, list[Path]]:
    """Class -> its images; a class without any is left out. Raises DataError when there is none at all."""
    by_class: dict[str, list[Path]] = {}
    for class_folder in sub_folders(folder):
        if images := images_below(class_folder)[0]:
            by_class[name_of(Path(class_folder.name))] = images
    if by_class:
        return by_class
    loose, others = images_below(folder)
    what = f"{len(loose)} images, but none in a class folder" if loose else f"no images{told(others)}"
    raise DataError(what, where=str(folder), remedy=_LAYOUT)
