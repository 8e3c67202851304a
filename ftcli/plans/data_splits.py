"""The examples of a task and which of them train, validate and test; and that choice as a record to keep."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftcli.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

TRAIN, VAL, TEST = "train", "val", "test"


@dataclass(frozen=True)
class Example:
    """`key` names the example for good: the path below the data's root (with `/`), or `digits/0001`."""

    key: str
    label: int


@dataclass(frozen=True)
class DataSplits:
    """`streams` maps train, val and test (and later others) to indices into `examples`.

    `load(index)` opens the image as it is stored, in its own mode and size; it raises DataError with the
    file's name when it cannot. It is called from several threads or processes.
    """

    source: str
    """What a person would call the data: a folder, a file, "scikit-learn digits"."""
    classes: tuple[str, ...]
    examples: tuple[Example, ...]
    streams: Mapping[str, tuple[int, ...]]
    load: Callable[[int], Image]
    files: tuple[Path, ...] | None = None
    """Where each example's image lies; None when they are not in files of their own."""

    def labels(self, stream: str) -> list[int]:
        return [self.examples[i].label for i in self.streams[stream]]

    def count_per_class(self, stream: str) -> dict[str, int]:
        counts = Counter(self.labels(stream))
        return {name: counts[label] for label, name in enumerate(self.classes)}


def split_record(splits: DataSplits) -> dict[str, Any]:
    """What split.json holds: source, classes, keys and counts by stream, and a sha256 over these."""
    record = {
        "source": splits.source,
        "classes": list(splits.classes),
        "counts": {stream: len(indices) for stream, indices in splits.streams.items()},
        "streams": {s: [splits.examples[i].key for i in indices] for s, indices in splits.streams.items()},
    }
    return {**record, "sha256": _digest(record)}


def apply_split_record(splits: DataSplits, record: Mapping[str, Any]) -> DataSplits:
    """The same data divided as recorded; examples that came later belong to no stream.

    Raises DataError when the record was changed, the classes are others or a recorded example is gone.
    """
    if record.get("sha256") != _digest({k: v for k, v in record.items() if k != "sha256"}):
        raise DataError(
            "the recorded split was changed after it was written",
            where="split.json",
            remedy="restore split.json",
        )
    if tuple(record["classes"]) != splits.classes:
        what = f"the classes were {', '.join(record['classes'])} and are {', '.join(splits.classes)}"
        raise DataError(what, where=splits.source, remedy="restore the data that the run began with")
    index = {example.key: i for i, example in enumerate(splits.examples)}
    gone = [key for keys in record["streams"].values() for key in keys if key not in index]
    if gone:
        what = f"{len(gone)} of the recorded examples are gone, {gone[0]!r} first"
        raise DataError(what, where=splits.source, remedy="restore the data that the run began with")
    return replace(
        splits, streams={s: tuple(index[k] for k in keys) for s, keys in record["streams"].items()}
    )


def _digest(record: Mapping[str, Any]) -> str:
    return sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
