"""The library datasets: imported late, as that takes a second; kept quiet; its errors turned into ours.

From version 4 on it runs no code of a data set; ours never asked for that, and an older one is refused.
"""

from __future__ import annotations

import logging
import os.path
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ftcli.errors import DataError

OLDEST = 4
"""The first version that cannot run code of a data set."""
_FILES = {".parquet": "from_parquet", ".arrow": "from_file"}
_LOGGERS = ("datasets", "huggingface_hub")
_LONGEST_REASON = 300


def library() -> Any:
    """The package. Raises DataError where it is not installed, or too old."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import datasets
    except ImportError as error:
        what = f"it needs the package datasets: {error}"
        raise DataError(what, remedy="pip install 'ftcli[datasets]'") from error
    if int(datasets.__version__.partition(".")[0]) < OLDEST:
        what = f"it needs the package datasets from version {OLDEST} on, here is {datasets.__version__}"
        raise DataError(what, remedy="pip install --upgrade 'ftcli[datasets]'")
    return datasets


def opened_by_library(path: str, name: str | None, revision: str | None) -> Any:
    """A Dataset, or a dict of them by split. Raises DataError with the library's reason."""
    datasets = library()
    try:
        with quietly():
            return _opened(datasets, path, name, revision)
    except DataError:
        raise
    except Exception as error:  # OSError, ValueError, pyarrow's own and many others
        raise _as_ours(error, path) from error


def is_local(path: str) -> bool:
    """Whether a path is a file or folder of this machine, and not a name of the hub."""
    return path.startswith((".", "/")) or os.path.exists(path)


def _opened(datasets: Any, path: str, name: str | None, revision: str | None) -> Any:
    if not is_local(path):
        _refuse_builder(datasets, path)
        return datasets.load_dataset(path, name, revision=revision)
    place = Path(path).absolute()  # a bare word would be looked up among the library's own readers
    if any((place / mark).is_file() for mark in ("dataset_dict.json", "state.json")):
        return datasets.load_from_disk(str(place))
    if place.is_dir():
        return datasets.load_dataset(str(place), name)
    if not place.exists():
        raise DataError(
            "no such file or folder", where=path, remedy="paths are relative to the current directory"
        )
    if place.suffix.lower() not in _FILES:
        remedy = f"give a folder, or one of {', '.join(_FILES)}; a .csv or .jsonl is opened with kind: csv"
        raise DataError("this is no file of a data set", where=path, remedy=remedy)
    read = getattr(
        datasets.Dataset, _FILES[place.suffix.lower()]
    )  # load_dataset would report the use of its reader
    return read(str(place))


def _refuse_builder(datasets: Any, path: str) -> None:
    """`imagefolder` and the like would take whatever lies in the current directory; `pandas` would unpickle it."""
    readers = getattr(datasets.packaged_modules, "_PACKAGED_DATASETS_MODULES", {})
    if path in readers:
        what = f"{path!r} is a reader of the library, not a data set"
        raise DataError(what, where="data.path", remedy="give the folder of the files as data.path")


def _as_ours(error: Exception, path: str) -> DataError:
    reason = " ".join(str(error).split())[:_LONGEST_REASON] or type(error).__name__
    what = f"datasets cannot open it: {reason}"
    if is_local(path):
        remedy = "give a folder of save_to_disk, or one of Parquet or image files"
    elif isinstance(error, ConnectionError | TimeoutError):
        remedy = (
            "connect to the network (once: it stays in the library's cache), or give a folder as data.path"
        )
    else:
        remedy = "data.path is OWNER/NAME of the hub or a folder; data.name is the configuration"
    return DataError(what, where=path, remedy=remedy)


@contextmanager
def quietly() -> Iterator[None]:
    """Without log lines below errors, progress bars and warnings, all three as they were afterwards."""
    import datasets

    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    had_bars = not datasets.are_progress_bars_disabled()
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    datasets.disable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if had_bars:
            datasets.enable_progress_bars()
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
