"""A folder of texts: one folder of .txt files per class, or train, val and test with class folders in each."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ftcli.errors import DataError
from ftcli.plans.data_splits import TRAIN, DataSplits, Example

from ._class_folders import check_names, folder_root, stream_folders
from ._common import SourcePath, complete
from ._files import files_below, name_of, sub_folders, told
from ._texts import TEXT_SUFFIXES, TextOptions, of_files


class TextFolder(TextOptions):
    """One folder per class; or train, val (valid, validation) and test with class folders in each.

    Each .txt, .text or .md file is an example. A val or test that is missing is split off train.
    """

    kind: Literal["text_folder"]
    path: SourcePath
    """The folder, relative to the current directory."""


def open_splits(options: TextFolder, seed: int) -> DataSplits:
    root = folder_root(options.path, "text_csv")
    streams = stream_folders(root)
    found = sorted(
        (name_of(path.relative_to(root)), stream, name_of(class_folder.relative_to(folder)), path)
        for stream, folder in streams.items()
        for class_folder, path in _texts(folder)
    )
    check_names(root, [key for key, *_ in found])
    classes = tuple(
        sorted(
            {name_of(folder.relative_to(streams[TRAIN])) for folder in sub_folders(streams[TRAIN])}
            | {name for _, _, name, _ in found}
        )
    )
    label = {name: number for number, name in enumerate(classes)}
    splits = DataSplits(
        source=options.path,
        classes=classes,
        examples=tuple(Example(key, label[name]) for key, _, name, _ in found),
        streams={s: tuple(i for i, row in enumerate(found) if row[1] == s) for s in streams},
        load=of_files([path for *_, path in found]),
        files=tuple(path for *_, path in found),
        texts=True,
    )
    return complete(splits, options.split, seed, options.kind)


def _texts(folder: Path) -> list[tuple[Path, Path]]:
    """Each text with its class folder. Raises DataError when there is none at all."""
    found = [
        (class_folder, path)
        for class_folder in sub_folders(folder)
        for path in files_below(class_folder, TEXT_SUFFIXES)[0]
    ]
    if found:
        return found
    loose, others = files_below(folder, TEXT_SUFFIXES)
    what = f"{len(loose)} texts, but none in a class folder" if loose else f"no texts{told(others)}"
    raise DataError(what, where=str(folder), remedy="put the texts of each class into a folder of its name")
