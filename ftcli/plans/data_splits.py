"""The examples of a task and which of them train, validate and test; and that choice as a record to keep."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from ftcli.errors import DataError

TRAIN, VAL, TEST = "train", "val", "test"


@dataclass(frozen=True)
class Example:
    """`key` names the example for good: the path below the data's root (with `/`), or `digits/0001`."""

    key: str
    label: int | tuple[int, ...]
    """Its class; where the data are multi-label all of its classes, from none to every one."""
    group: str | None = None
    """Of what it is one of several pictures: a patient, a product, a scene, a video."""
    time: str | None = None
    """When it was taken, as the data say it: a number or an ISO 8601 date."""
    weight: float = 1.0
    """How often `train.sampler: weighted` draws it, beside the others."""

    @property
    def labels(self) -> tuple[int, ...]:
        return (self.label,) if isinstance(self.label, int) else self.label


@dataclass(frozen=True)
class DataSplits:
    """`streams` maps train, val and test (and later others) to indices into `examples`.

    `load(index)` opens the image as it is stored, in its own mode and size, or gives the text; it raises DataError
    with the file's name when it cannot. It is called from several threads or processes.
    """

    source: str
    """What a person would call the data: a folder, a file, "scikit-learn digits"."""
    classes: tuple[str, ...]
    examples: tuple[Example, ...]
    streams: Mapping[str, tuple[int, ...]]
    load: Callable[[int], Any]
    files: tuple[Path, ...] | None = None
    """Where each example lies; None when they are not in files of their own."""
    how: str = ""
    """How the streams came about, where it was not by ratio: "by group: 12 train, 3 val, 3 test"."""
    given: tuple[str, ...] = ()
    """The streams that the source had divided itself, where it had more than one."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Key -> why, of examples that a stream would hold if they could be read."""
    multi_label: bool = False
    """Whether an example may have several classes, or none."""
    texts: bool = False
    """Whether the examples are texts, or images."""

    @property
    def noun(self) -> str:
        """What an example is. A corpus is of documents, which have no class."""
        if not self.texts:
            return "image"
        return "text" if self.classes else "document"

    @property
    def drawn(self) -> tuple[str, ...]:
        """The streams that were taken from the source's train."""
        return tuple(stream for stream in (VAL, TEST) if stream in self.streams and stream not in self.given)

    def count_per_class(self, stream: str) -> dict[str, int]:
        """Examples of each class; of a multi-label stream one counts for each of its classes."""
        counts = Counter(label for i in self.streams[stream] for label in self.examples[i].labels)
        return {name: counts[label] for label, name in enumerate(self.classes)}

    def target(self, index: int) -> int | tuple[float, ...]:
        """What the network is to say: the class, or a 1 or 0 for each where there may be several."""
        label = self.examples[index].label
        if isinstance(label, int):
            return label
        return tuple(float(number in label) for number in range(len(self.classes)))

    def label_name(self, index: int) -> str:
        """The class by name, or all of them: "cat, dog"; "no class" of an example that has none."""
        return ", ".join(self.classes[label] for label in self.examples[index].labels) or "no class"

    @cached_property
    def strata(self) -> tuple[int, ...]:
        """By example, what a split or a sampler takes for its class: of several the rarest in the data, after

        Sechidis et al. 2011, whose first step it is; the number of classes where it has none.
        """
        counts = Counter(label for example in self.examples for label in example.labels)
        none = len(self.classes)
        return tuple(
            min(example.labels, key=lambda label: (counts[label], label), default=none)
            for example in self.examples
        )

    def stratum_name(self, stratum: int) -> str:
        return self.classes[stratum] if stratum < len(self.classes) else "no class"


def without(splits: DataSplits, reasons: Mapping[int, str]) -> DataSplits:
    """The streams without these examples, which are on record with the reason; none of the others moves.

    Raises DataError when that leaves a stream empty, or nothing to train on of a class.
    """
    streams = {s: tuple(i for i in indices if i not in reasons) for s, indices in splits.streams.items()}
    left_out = {splits.examples[i].key: reason for i, reason in sorted(reasons.items())}
    left = replace(splits, streams=streams, left_out={**splits.left_out, **left_out})
    trained_on = left.count_per_class(TRAIN) if TRAIN in streams else {}
    gone = [f"no training {splits.noun}s of {name!r}" for name, count in trained_on.items() if count == 0]
    gone += [f"nothing for {stream}" for stream, indices in streams.items() if not indices]
    if gone:
        what = f"without the {len(reasons)} {splits.noun}s that cannot be read there is {', '.join(gone)}"
        first = next(iter(left_out.items()))
        raise DataError(f"{what}; {first[0]}: {first[1]}", where=splits.source, remedy="replace these files")
    return left


def split_record(splits: DataSplits) -> dict[str, Any]:
    """What split.json holds: source, classes, keys and counts by stream, and a sha256 over these.

    `examples` is a sha256 over what is learned of each: key, classes and weight, in the streams' order. How the split
    came about and what was left out stand there where there is something to say.
    """
    record = {
        "source": splits.source,
        "classes": list(splits.classes),
        "counts": {stream: len(indices) for stream, indices in splits.streams.items()},
        "streams": {s: [splits.examples[i].key for i in indices] for s, indices in splits.streams.items()},
        "examples": _digest({s: _learned(splits, indices) for s, indices in splits.streams.items()}),
    }
    said = {"how": splits.how, "left_out": dict(splits.left_out)}
    record |= {name: value for name, value in said.items() if value}
    return {**record, "sha256": _digest(record)}


def apply_split_record(
    splits: DataSplits, record: Mapping[str, Any], where: str = "split.json"
) -> DataSplits:
    """The same data divided as recorded; examples that came later belong to no stream.

    Raises DataError when the record was changed, the classes are others or a recorded example is gone.
    """
    _check_record(record, where)
    if tuple(record["classes"]) != splits.classes:
        what = f"the classes were {', '.join(record['classes'])} and are {', '.join(splits.classes)}"
        raise DataError(what, where=splits.source, remedy="restore the data that the run began with")
    index = {example.key: i for i, example in enumerate(splits.examples)}
    gone = [key for keys in record["streams"].values() for key in keys if key not in index]
    if gone:
        what = f"{len(gone)} of the recorded examples are gone, {gone[0]!r} first"
        raise DataError(what, where=splits.source, remedy="restore the data that the run began with")
    return replace(
        splits,
        streams={s: tuple(index[k] for k in keys) for s, keys in record["streams"].items()},
        how=record.get("how", ""),
        left_out=record.get("left_out", {}),
    )


def _learned(splits: DataSplits, indices: Sequence[int]) -> list[tuple[Any, ...]]:
    examples = (splits.examples[i] for i in indices)
    return [(example.key, example.label, example.weight) for example in examples]


def _check_record(record: Mapping[str, Any], where: str) -> None:
    """Raises DataError unless it is a record as split_record makes them, and untouched since."""
    if not _has_the_form(record):
        raise DataError(
            "this is no record of a split",
            where=where,
            remedy="restore split.json, or give that of another run",
        )
    if record.get("sha256") != _digest({k: v for k, v in record.items() if k != "sha256"}):
        raise DataError(
            "the recorded split was changed after it was written",
            where=where,
            remedy="restore split.json",
        )
    counts = Counter(key for keys in record["streams"].values() for key in keys)
    twice = [key for key, count in counts.items() if count > 1]
    if twice:
        what = f"{len(twice)} examples stand in the recorded split twice, {twice[0]!r} first"
        raise DataError(what, where=where, remedy="an example belongs to one of train, val and test")


def _has_the_form(record: Mapping[str, Any]) -> bool:
    streams = record.get("streams")
    return (
        _are_texts(record.get("classes"))
        and isinstance(streams, Mapping)
        and all(_are_texts(keys) for keys in streams.values())
        and isinstance(record.get("how", ""), str)
        and isinstance(record.get("left_out", {}), Mapping)
    )


def _are_texts(values: Any) -> bool:
    return isinstance(values, (list, tuple)) and all(isinstance(value, str) for value in values)


def _digest(record: Mapping[str, Any]) -> str:
    return sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
