"""A folder that holds a folder for each class, or train, val and test with class folders in each."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from ftcli.errors import DataError
from ftcli.plans.data_splits import TRAIN

from ._common import STREAM_NAMES
from ._files import is_text, sub_folders
from ._manifest import JSON_LINES


def folder_root(path: str, kind_of_manifest: str) -> Path:
    """Raises DataError where there is no folder; a manifest is opened with that kind."""
    root = Path(path)
    if root.is_dir():
        return root
    if not root.exists():
        raise DataError("no such folder", where=path, remedy="paths are relative to the current directory")
    is_manifest = root.suffix.lower() in {".csv", *JSON_LINES}
    remedy = f"a manifest is opened with kind: {kind_of_manifest}" if is_manifest else "unpack it first"
    raise DataError("this is a file, not a folder", where=path, remedy=remedy)


def stream_folders(root: Path) -> dict[str, Path]:
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


def check_names(root: Path, keys: Sequence[str]) -> None:
    """Raises DataError for names that no record of a run could hold, and for two that become one. `keys` are sorted."""
    bad = [ascii(key) for key in keys if not is_text(key)]
    if bad:
        what = f"{len(bad)} names are not UTF-8, {bad[0]} first"
        raise DataError(what, where=str(root), remedy="rename these files or folders")
    twice = [key for key, after in pairwise(keys) if key == after]
    if twice:
        what = f"{len(twice)} names stand there twice, with accents composed and not: {twice[0]!r} first"
        raise DataError(what, where=str(root), remedy="rename or remove one of each")
