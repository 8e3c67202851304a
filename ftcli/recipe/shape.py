"""Which options may stand where in a recipe: what the messages and the overrides must know of the schema."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, get_args

from ftcli.recipe.schema import Recipe
from ftcli.registry import Choice, Options

Classes = tuple[type[Options], ...]


@cache
def sections() -> dict[str, Classes]:
    """Recipe path -> the options classes that may stand there; the items of a list are `path[]`.

    "" is the recipe itself, `train` is (Train,), `strategy` has one class for each of its files.
    """
    found: dict[str, Classes] = {"": (Recipe,)}
    waiting = [""]
    while waiting:
        path = waiting.pop()
        for options in found[path]:
            for name, info in options.model_fields.items():
                classes, items = _classes_in(info.annotation)
                inner = f"{path}.{name}".lstrip(".") + ("[]" if items else "")
                new = [c for c in classes if c not in found.get(inner, ())]
                if new:
                    found[inner] = (*found.get(inner, ()), *new)
                    waiting.append(inner)
    return found


def classes_at(path: str) -> Classes:
    """What may stand at a path of a recipe (`strategy.schedule[1]`); empty for a plain value."""
    return sections().get(re.sub(r"\[\d+\]", "[]", path), ())


def choices_at(path: str) -> dict[str, type[Choice]]:
    """The choices of a section with kinds, by kind; empty for anything else."""
    return {kind: c for c in classes_at(path) if issubclass(c, Choice) for kind in _kinds_of(c)}


def _kinds_of(choice: type[Choice]) -> tuple[str, ...]:
    return get_args(choice.model_fields["kind"].annotation)


def _classes_in(annotation: Any) -> tuple[Classes, bool]:
    """The options classes a field's type mentions, and whether they are items of a list."""
    if isinstance(annotation, type) and issubclass(annotation, Options):
        return (annotation,), False
    inner = [_classes_in(argument) for argument in get_args(annotation)]
    classes = tuple(dict.fromkeys(c for found, _ in inner for c in found))
    is_list = getattr(annotation, "__origin__", None) is tuple
    return classes, bool(classes) and (is_list or any(items for _, items in inner))
