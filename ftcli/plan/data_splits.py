"""The examples of a task and which of them train, validate and test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    in_memory: bool = False
    """The images need no reading from disk and no scan."""

    def labels(self, stream: str) -> list[int]:
        return [self.examples[i].label for i in self.streams[stream]]

    def count_per_class(self, stream: str) -> dict[str, int]:
        counts = Counter(self.labels(stream))
        return {name: counts[label] for label, name in enumerate(self.classes)}
