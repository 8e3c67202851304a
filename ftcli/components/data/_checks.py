"""What every split has to fulfil, whoever made it."""

from __future__ import annotations

from collections.abc import Iterable

from ftcli.errors import DataError
from ftcli.plans.data_splits import TRAIN, DataSplits


def check_classes(splits: DataSplits) -> None:
    """Raises DataError when there is nothing to tell apart."""
    if len(splits.classes) < 2:
        what = f"{len(splits.classes)} class is not enough to tell apart: {quoted(splits.classes)}"
        raise DataError(what, where=splits.source, remedy=f"give {splits.noun}s of at least two classes")


def check_train(splits: DataSplits) -> None:
    """Raises DataError that names the classes of which there is nothing to train on."""
    empty = [name for name, count in splits.count_per_class(TRAIN).items() if count == 0]
    if empty:
        remedy = f"add {splits.noun}s to train, or remove the class"
        raise DataError(f"no training {splits.noun}s of {quoted(empty)}", where=splits.source, remedy=remedy)


def check_groups(splits: DataSplits, kind: str = "") -> None:
    """Raises DataError when an example has no group, or a group stands in two streams."""
    used = [(stream, i) for stream, indices in splits.streams.items() for i in indices]
    _each_has(splits, "group", _GROUPS.get(kind) or _none_of_this_kind(splits, "group"))
    stream_of: dict[str | None, str] = {}
    for stream, i in used:
        group = splits.examples[i].group
        other = stream_of.setdefault(group, stream)
        if other != stream:
            what = f"group {group!r} stands in {other} and in {stream}"
            remedy = "move each group into one of them, or leave the split to ftcli"
            raise DataError(what, where=splits.source, remedy=remedy)


def check_times(splits: DataSplits, kind: str = "") -> None:
    """Raises DataError when an example has no time."""
    _each_has(splits, "time", _TIMES.get(kind) or _none_of_this_kind(splits, "time"))


def _each_has(splits: DataSplits, fact: str, remedy: str) -> None:
    """None of the images has it: the source was not told where to look. Some lack it: there are gaps."""
    used = [i for indices in splits.streams.values() for i in indices]
    without = [i for i in used if getattr(splits.examples[i], fact) is None]
    if not without:
        return
    gaps = f"{len(without)} of {len(used)} {splits.noun}s have no {fact}, {splits.examples[without[0]].key!r} first"
    none = f"none of the {len(used)} {splits.noun}s has a {fact}"
    what = f"data.split.by is {fact}, but {none if len(without) == len(used) else gaps}"
    raise DataError(what, where=splits.source, remedy=remedy)


def _none_of_this_kind(splits: DataSplits, fact: str) -> str:
    kind = ("text_csv" if splits.classes else "corpus_csv") if splits.texts else "csv"
    listed = f"list the {splits.noun}s in a CSV file with a column {fact} (data.kind: {kind})"
    return f"data of this kind has no {fact}s: {listed}"


def quoted(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)


_GROUPS = {
    "folder": "set data.group to a regular expression that finds the group in every image's path, in parentheses: "
    "patient(\\d+)",
    "corpus": "set data.group to a regular expression that finds the group in every file's path, in parentheses: "
    "([^/]+)/",
    "corpus_csv": "fill the column that data.group_column names (group by default) in every row",
    "csv": "fill the column that data.group_column names (group by default) in every row",
    "hf_dataset": "name the column of groups, which no row may leave empty: data.group_column",
    "text_hf_dataset": "name the column of groups, which no row may leave empty: data.group_column",
    "text_csv": "fill the column that data.group_column names (group by default) in every row",
    "webdataset": "give each sample a .json with a field group",
}
_TIMES = {
    "csv": "fill the column that data.time_column names (time by default) in every row",
    "hf_dataset": "name the column of times, which no row may leave empty: data.time_column",
    "text_hf_dataset": "name the column of times, which no row may leave empty: data.time_column",
    "text_csv": "fill the column that data.time_column names (time by default) in every row",
    "webdataset": "give each sample a .json with a field time",
}
