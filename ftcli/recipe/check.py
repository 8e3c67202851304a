"""Plain data into a Recipe, or into problems: the path, what was expected, what was given, what is near."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ftcli.errors import Problem
from ftcli.recipe.lacking import instead_of
from ftcli.recipe.near import nearest, renamed
from ftcli.recipe.schema import Recipe
from ftcli.recipe.shape import choices_at, classes_at, sections
from ftcli.recipe.yaml_source import join
from ftcli.registry import Choice, Options, documentation

_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "literal_error": "{expected}",
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number of at least {ge:g}",
    "less_than": "a number below {lt:g}",
    "less_than_equal": "a number of at most {le:g}",
    "too_short": "a list of at least {min_length}",
    "too_long": "a list of at most {max_length}",
    "string_pattern_mismatch": "text of the form below",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a kind, or a mapping with kind",
}
_DESCRIBED = ("string_pattern_mismatch", "tuple_type", "dict_type", "model_type")
_MOST_PATHS = 3
"""Places that a key may belong to; more would be no advice."""
_NUMBERS = {"int_type": int, "float_type": float}


@dataclass(frozen=True)
class _Spot:
    """Where an error lies: the recipe path, and the options class that holds the last key of it."""

    path: str
    owner: type[Options] | None
    key: str

    @property
    def description(self) -> str | None:
        """What the recipe's own documentation says of the key."""
        text = documentation(self.owner).get(self.key) if self.owner else None
        return " ".join(text.split()) if text else None


def check(data: dict[str, Any]) -> tuple[Recipe | None, list[Problem]]:
    """The recipe in `data` (JSON types only), or everything that is wrong with it."""
    recipe, errors = _validate(data)
    mended = _with_likely_kinds(data, errors)
    if mended is not None:  # pydantic does not look into a section whose kind it does not know
        errors += _validate(mended)[1]
    found: dict[str, list[tuple[_Spot, ErrorDetails]]] = {}
    for details in errors:
        spot = _spot(details["loc"], data)
        found.setdefault(spot.path, []).append((spot, details))
    return recipe, [_problem(found[path]) for path in found if not _is_told_deeper(path, found)]


def _validate(data: dict[str, Any]) -> tuple[Recipe | None, list[ErrorDetails]]:
    """Lists become tuples for strict validation: pydantic's JSON mode ends at a section's BeforeValidator."""
    try:
        return Recipe.model_validate(_with_tuples(data)), []
    except ValidationError as error:
        return None, [details for details in error.errors(include_url=False) if not _is_echo(details)]


def _is_echo(details: ErrorDetails) -> bool:
    """pydantic counts only the items that are right, and calls a list with a wrong one too short as well."""
    return details["type"] == "too_short" and len(details["input"]) >= details["ctx"]["min_length"]


def _is_told_deeper(path: str, found: dict[str, list[tuple[_Spot, ErrorDetails]]]) -> bool:
    """A mapping where a word would do as well: what is wrong inside of it is the mistake, not that it is none."""
    are_words = all(d["type"] == "literal_error" and isinstance(d["input"], dict) for _, d in found[path])
    return are_words and any(other.startswith(f"{path}.") for other in found)


def _with_tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_tuples(inner) for key, inner in value.items()}
    return tuple(_with_tuples(item) for item in value) if isinstance(value, list) else value


def _with_likely_kinds(data: dict[str, Any], errors: list[ErrorDetails]) -> dict[str, Any] | None:
    """A copy in which misspelt kinds are the ones that were meant; None where none is."""
    meant = [
        (e["loc"], nearest(e["input"]["kind"], choices_at(_spot(e["loc"], data).path)))
        for e in errors
        if e["type"] == "union_tag_invalid"
    ]
    mended = deepcopy(data)
    for loc, kind in meant:
        section: Any = mended
        for step in loc:
            section = _inside(section, step)
        if kind and isinstance(section, dict):
            section["kind"] = kind
    return mended if mended != data else None


def _spot(loc: Iterable[str | int], data: Any) -> _Spot:
    """pydantic's location without the tags it adds for the branches of a union."""
    path, key, here, tag_next = "", "", data, False
    owner: type[Options] | None = None
    for step in loc:
        choices, classes = choices_at(path), classes_at(path)
        if tag_next:  # the kind of a section
            tag_next, owner = False, choices[str(step)]
            continue
        if isinstance(step, str) and not classes and not (isinstance(here, dict) and step in here):
            continue  # the name of a branch: int, a Literal, a mapping of weights
        if not choices:
            owner = classes[0] if classes else None
        path, key = join(path, step), str(step)
        here = _inside(here, step)
        tag_next = bool(choices_at(path))
    return _Spot(path, owner, key)


def _inside(data: Any, step: str | int) -> Any:
    try:
        return data[step]
    except (KeyError, IndexError, TypeError):
        return None


def _problem(branches: list[tuple[_Spot, ErrorDetails]]) -> Problem:
    """One problem, though each branch of a union that refused the value says so itself."""
    spot, details = branches[0]
    kind = details["type"]
    if kind == "missing":
        return Problem(spot.path, "is missing", spot.description)
    if kind == "extra_forbidden":
        return Problem(spot.path, f"there is no {spot.key!r} here", _home(spot))
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return _unknown_kind(spot.path, details)
    if kind == "value_error":
        return Problem(spot.path, details["msg"].removeprefix("Value error, "))
    expected = " or ".join(dict.fromkeys(_expected(branch) for _, branch in branches))
    message = f"expected {expected}, got {_given(details['input'])}"
    return Problem(spot.path, message, _remedy(spot, details))


def _expected(details: ErrorDetails) -> str:
    template = _EXPECTED.get(details["type"])
    context = details.get("ctx", {})
    return template.format(**context) if template else details["msg"].removeprefix("Input should be ")


def _given(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _remedy(spot: _Spot, details: ErrorDetails) -> str | None:
    kind, value = details["type"], details["input"]
    if kind in _NUMBERS and isinstance(value, str) and value[:1] in "-+.0123456789":
        try:
            return f"write {_NUMBERS[kind](value)}, without quotes or underscores"
        except ValueError:
            return None
    if kind == "literal_error":
        near = _did_you_mean(str(value), re.findall(r"'([^']*)'", str(details["ctx"]["expected"])))
        return near or _option_of_that_name(spot, value)
    if kind == "model_attributes_type":
        return f"kinds: {', '.join(choices_at(spot.path))}"
    return spot.description if kind in _DESCRIBED else None


def _unknown_kind(path: str, details: ErrorDetails) -> Problem:
    kinds = list(choices_at(path))
    given = details["input"].get("kind")
    every = f"kinds: {', '.join(kinds)}"
    if given is None:
        return Problem(path, "kind is missing", every)
    near = (
        instead_of(path, str(given))
        or _option_with(path, str(given))
        or _did_you_mean(str(given), kinds)
        or _elsewhere(str(given))
    )
    return Problem(join(path, "kind"), f"there is no kind {_given(given)} of {path}", near or every)


def _option_with(path: str, word: str) -> str | None:
    """For a kind that is none: how to write it where it is an option of one, or a value of such an option."""
    meant = word.lower()
    for kind, choice in choices_at(path).items():
        for name, info in choice.model_fields.items():
            if name != "kind" and meant in get_args(info.annotation):
                return f"write {path}: {{kind: {kind}, {name}: {meant}}}"
            if name == meant:
                return f"it is an option: {path}: {{kind: {kind}, {name}: ...}}"
    return None


def _option_of_that_name(spot: _Spot, value: object) -> str | None:
    """For a value that is none: the option beside it that has that name."""
    beside = [name for name in spot.owner.model_fields if name != spot.key] if spot.owner else []
    near = renamed(value, beside) if isinstance(value, str) else None
    return f"did you mean the option {spot.path.removesuffix(spot.key)}{near}?" if near else None


def _elsewhere(word: str) -> str | None:
    """Where an option of that name, or one that others call so, belongs."""
    every = {name for classes in sections().values() for c in classes for name in c.model_fields}
    paths = _paths_to(renamed(word, every) or word)
    return (
        f"did you mean {' or '.join(paths)}?"
        if paths and word != "kind" and len(paths) <= _MOST_PATHS
        else None
    )


def _home(spot: _Spot) -> str:
    """For a key that is unknown where it stands: the nearest one there, or where one of that name belongs."""
    assert spot.owner is not None
    keys = list(spot.owner.model_fields)
    section = spot.path.removesuffix(spot.key).rstrip(".")
    if instead := instead_of(section, spot.key):
        return instead
    siblings = [kind for kind, choice in choices_at(section).items() if spot.key in choice.model_fields]
    if siblings and issubclass(spot.owner, Choice):
        return f"it is an option of {', '.join(siblings)}"
    near = _did_you_mean(spot.key, keys)
    if near:
        return near
    return _elsewhere(spot.key) or f"allowed: {', '.join(keys)}"


def _paths_to(key: str) -> list[str]:
    """The recipe paths that end in `key`, those of the least depth."""
    paths = [
        join(path, key)
        for path, classes in sections().items()
        if "[]" not in path and any(key in c.model_fields for c in classes)
    ]
    return [path for path in paths if path.count(".") == min(p.count(".") for p in paths)]


def _did_you_mean(word: str, words: Iterable[str]) -> str | None:
    near = nearest(word, words)
    return f"did you mean {near!r}?" if near else None
