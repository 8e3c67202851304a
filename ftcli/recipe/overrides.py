"""`--set path=value`: one value of a recipe changed from the command line.

The value is YAML (`strategy.train=[layer4, fc]`; nothing after the `=` is null) and replaces what stood at
the path, a whole section too. Missing sections are made; a section in its short form (`strategy: full`) is
written out. Setting `strategy.kind` keeps the section's other options, so that one which the new kind does
not have is told and not lost; `strategy=full` starts the section anew.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from ftcli.errors import RecipeError
from ftcli.recipe.shape import choices_at
from ftcli.recipe.yaml_source import MAX_DEPTH, Document, Found, Place, join, parse

_NAME = r"[\w*?-]+(\[\d{1,4}\])*"
_PATH = re.compile(rf"{_NAME}(\.{_NAME}){{0,{MAX_DEPTH}}}", re.ASCII)
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_FORM = "write --set PATH=VALUE, as in --set optimizer.lr=1e-4 or --set strategy.schedule[0].epoch=2"


class _NoWay(Exception):
    """The path leads through something that is no mapping or list; the remedy is to set that."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path} {message}")
        self.remedy = f"set it as a whole: --set {path}=..."


def apply(document: Document, overrides: Sequence[str]) -> list[Found]:
    """Change the data and places of `document`; returns what is wrong with the overrides themselves."""
    found: list[Found] = []
    for index, override in enumerate(overrides):
        short = override if len(override) <= 60 else f"{override[:57]}..."
        place = Place(sys.maxsize, index, f"--set {short}")  # told after the problems of the file
        found += _apply_one(document, override, place)
    return found


def steps(path: str) -> list[str | int]:
    """Of `strategy.schedule[0].epoch`: "strategy", "schedule", 0, "epoch"."""
    return [name or int(index) for name, index in _STEP.findall(path)]


def _apply_one(document: Document, override: str, place: Place) -> list[Found]:
    path, equals, text = override.partition("=")
    path = path.strip()
    if not equals or not _PATH.fullmatch(path):
        return [Found.at(place, "", f"{override[:60]!r} is not PATH=VALUE", _FORM)]
    try:
        value = parse(text, "value")
    except RecipeError as error:
        return [Found.at(place, path, problem.message, problem.remedy) for problem in error.problems]
    if value.found:
        return [Found.at(place, path, bad.problem.message, bad.problem.remedy) for bad in value.found]
    try:
        _put(document, steps(path), value.data, place)
    except _NoWay as error:
        return [Found.at(place, path, str(error), error.remedy)]
    return []


def _put(document: Document, steps: list[str | int], value: Any, place: Place) -> None:
    here, path = document.data, ""
    for step, following in pairwise(steps):
        _check(here, step, path)
        path = join(path, step)
        inner = here.get(step) if isinstance(here, dict) else here[step]
        if inner is None and isinstance(following, str):
            here[step] = inner = {}
            document.places[path] = place
        elif isinstance(inner, str) and choices_at(path):
            here[step] = inner = {"kind": inner}
        here = inner
    _check(here, steps[-1], path)
    path = join(path, steps[-1])
    here[steps[-1]] = value
    _forget_places_in(document.places, path)
    document.places[path] = place


def _check(here: Any, step: str | int, path: str) -> None:
    """Whether `here`, at `path`, can be stepped into."""
    if isinstance(step, str) and not isinstance(here, dict):
        raise _NoWay(path, f"is {_name(here)}, so there is no {step!r} in it")
    if isinstance(step, int) and not isinstance(here, list):
        raise _NoWay(path, f"is {_name(here)}, so there is no item {step}")
    if isinstance(step, int) and step >= len(here):
        raise _NoWay(path, f"has {len(here)} items, counted from 0; there is no item {step}")


def _name(value: Any) -> str:
    if value is None:
        return "not given"
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list"
    return repr(value)[:60]


def _forget_places_in(places: dict[str, Place], path: str) -> None:
    for inner in [p for p in places if p.startswith((f"{path}.", f"{path}["))]:
        del places[inner]
