"""A folder of images: one folder per class, or train, val and test with class folders in each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator

from ftcli.errors import DataError
from ftcli.plans.data_splits import TEST, TRAIN, DataSplits, Example

from ._class_folders import check_names, folder_root, stream_folders
from ._common import DataOptions, SourcePath, complete
from ._files import images_below, name_of, opener, sub_folders, told
from ._patterns import with_one_group

_LAYOUT = "put the images of each class into a folder of its name"
_METADATA = ("metadata.csv", "metadata.jsonl")
"""How Hugging Face calls a manifest that lies beside its images."""


class Folder(DataOptions):
    """One folder per class; or train, val (valid, validation) and test with class folders in each.

    A val or test that is missing is split off train. Hidden files and files that are no images are ignored.
    """

    kind: Literal["folder"]
    path: SourcePath
    """The folder, relative to the current directory."""
    nested: bool = False
    """Classes are the folders at any depth that hold images, by their path: animals/cat."""
    group: Annotated[str, AfterValidator(with_one_group)] | None = None
    """A regular expression for an image's path below the folder; its parentheses give the group: patient(\\d+)."""


def open_splits(options: Folder, seed: int) -> DataSplits:
    root = folder_root(options.path, "csv")
    streams = stream_folders(root)
    found = sorted(
        (name_of(path.relative_to(root)), stream, name, path)
        for stream, folder in streams.items()
        for name, paths in _images_by_class(root, folder, options.nested).items()
        for path in paths
    )
    check_names(root, [key for key, *_ in found])
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
    root = folder_root(path, "csv")
    found = sorted(
        (name_of(image.relative_to(root)), name, image)
        for name, images in _images_by_class(root, root, nested=False).items()
        for image in images
    )
    check_names(root, [key for key, *_ in found])
    classes = tuple(sorted({name for _, name, _ in found}))
    return DataSplits(
        source=path,
        classes=classes,
        examples=tuple(Example(key, classes.index(name)) for key, name, _ in found),
        streams={TEST: tuple(range(len(found)))},
        load=opener((image for *_, image in found), max_pixels),
        files=tuple(image for *_, image in found),
    )


def _group(options: Folder, key: str) -> str | None:
    """None where the path does not have the form: only a split by group minds that."""
    match = re.search(options.group, key) if options.group is not None else None
    return match.group(1) or None if match else None


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
