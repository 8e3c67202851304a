"""The label of an example as a manifest or a shard tells it: one class, or several."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import Field

from ftcli.registry import Options

from ._files import is_text, name_of

LONGEST_LABEL = 1_000
"""Characters; more is a text that went into the wrong column, or a quote that was never closed."""
_YES = frozenset({"1", "1.0", "true", "yes"})
_NO = frozenset({"0", "0.0", "false", "no", ""})
_SHOWN = 80

Names = tuple[str, ...]
"""An example's classes by name, each once; of single-label data exactly one."""


class MaybeMultiLabel(Options):
    """The options of sources in which an example may have several classes."""

    multi_label: bool = False
    """Whether an example has any number of classes, none included. Training then judges each class by itself."""
    label_separator: str = Field(default="|", min_length=1)
    """Between the classes of an example where there are several: cat|dog. JSON may have a list instead."""


def names_of(options: MaybeMultiLabel, told: str) -> Names:
    """The classes that a text tells. Raises ValueError."""
    if not options.multi_label:
        if _as_list(told) is not None:
            raise ValueError(
                f"label {shown(told)} is a list; set multi_label: true to train on several classes"
            )
        return (_name(told),)
    listed = _as_list(told)
    parts = told.split(options.label_separator) if listed is None else listed
    return tuple(sorted({_name(part.strip()) for part in parts if part.strip()}))


def names_of_cells(options: MaybeMultiLabel, columns: Sequence[str], cells: Mapping[str, str]) -> Names:
    """The columns, one for each class, that say yes. Raises ValueError for a cell that says neither yes nor no."""
    for column in columns:
        if cells.get(column, "").lower() not in _YES | _NO:
            what = f"column {column!r} is {shown(cells[column])}; 1 or 0 is expected"
            raise ValueError(what)
    found = tuple(column for column in columns if cells.get(column, "").lower() in _YES)
    if not options.multi_label and len(found) != 1:
        told = ", ".join(found[:5]) or "none"
        raise ValueError(
            f"the columns of {len(found)} classes are 1 ({told}); set multi_label: true, or mend it"
        )
    return found


def numbers_of(names: Names, number: Mapping[str, int], *, multi_label: bool) -> int | tuple[int, ...]:
    """The label of an Example."""
    numbers = tuple(number[name] for name in names)
    return numbers if multi_label else numbers[0]


def every_name(examples: Iterable[Names]) -> set[str]:
    return {name for names in examples for name in names}


def shown(text: str | None) -> str:
    """Quoted, and not longer than a line."""
    told = repr(text)
    return told if len(told) <= _SHOWN else f"{told[:_SHOWN]}..."


def _as_list(told: str) -> list[str] | None:
    """The texts of a JSON list; None of anything else."""
    if not told.startswith("["):
        return None
    try:
        values = json.loads(told)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, list) or any(isinstance(value, (dict, list)) for value in values):
        return None
    return [value if isinstance(value, str) else json.dumps(value) for value in values]


def _name(text: str) -> str:
    if not text or len(text) > LONGEST_LABEL or not is_text(text):
        raise ValueError(f"label {shown(text)} is no name of a class")
    return name_of(Path(text))
