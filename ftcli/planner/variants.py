"""From what a command line asks for to a study: every strategy with every value of what varies."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import product
from typing import Any, TypeVar

from ftcli.errors import UsageError
from ftcli.plans.study import ALL, Size, Study, Variant, own_size
from ftcli.recipe.schema import Recipe
from ftcli.registry import kinds

ALIASES = {"probe": "feature_extraction"}
"""What people call a strategy, and its kind."""
_LONGEST_SLUG = 60
T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """The options of `ftcli compare`, as they were written."""

    strategies: str | None = None
    vary: Sequence[str] = ()
    seeds: str | None = None
    sizes: str | None = None


@dataclass(frozen=True)
class _Part:
    """What one option adds to a variant."""

    name: str
    overrides: tuple[str, ...]


def study_of(recipe: Recipe, plain: Mapping[str, Any], asked: Asked) -> Study:
    """`plain`: the recipe as the study keeps it. Raises UsageError where a list is none or repeats itself,

    and where there is nothing to compare.
    """
    parts = [_strategies(recipe, asked.strategies), *_varied(asked.vary)]
    variants = [_variant(chosen) for chosen in product(*parts)]
    study = Study(
        recipe.name,
        tuple(_with_own_slugs(variants)),
        _each("--sizes", asked.sizes, _size) or (own_size(plain),),
        _each("--seeds", asked.seeds, _seed) or (recipe.seed,),
        plain,
    )
    if len(study.trials) < 2:
        remedy = "give --strategies probe,full, --vary optimizer.lr=1e-4,1e-3, --seeds 0,1 or --sizes 50,100"
        raise UsageError("one run alone is nothing to compare", remedy=remedy)
    return study


def _strategies(recipe: Recipe, text: str | None) -> list[_Part]:
    """The recipe's own section where it is of that kind: its options are kept."""
    names = _each("--strategies", text, str)
    if not names:
        return [_Part("", ())]
    known = {**{kind: kind for kind in kinds("strategy")}, **ALIASES}
    parts = []
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            remedy = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}"
            raise UsageError(f"there is no strategy {name!r}", where="--strategies", remedy=remedy)
        parts.append(_Part(name, tuple(_to_strategy(recipe, known[name]))))
    return parts


def _to_strategy(recipe: Recipe, kind: str) -> Iterator[str]:
    if recipe.strategy.kind != kind:
        yield f"strategy={kind}"
    if kind == "scratch" and recipe.model.weights not in ("default", "none"):
        yield "model.weights=none"


def _varied(vary: Sequence[str]) -> list[list[_Part]]:
    """A list of parts for each path; it is called by its last word where no other path ends in the same."""
    pairs = [_path_and_values(text) for text in vary]
    paths = [path for path, _ in pairs]
    if len(set(paths)) < len(paths):
        what = f"{max(paths, key=paths.count)} varies twice"
        raise UsageError(what, where="--vary", remedy="give all its values in one list")
    words = [path.rpartition(".")[2] for path in paths]
    return [
        [
            _Part(f"{word if words.count(word) == 1 else path}={value}", (f"{path}={value}",))
            for value in values
        ]
        for (path, values), word in zip(pairs, words, strict=True)
    ]


def _path_and_values(text: str) -> tuple[str, tuple[str, ...]]:
    path, equals, values = text.partition("=")
    if not equals or not path.strip():
        raise UsageError(
            f"{text!r} is not PATH=VALUE,VALUE", where="--vary", remedy="--vary optimizer.lr=1e-4,1e-3"
        )
    return path.strip(), _each(f"--vary {path.strip()}", values, str)


def _each(option: str, text: str | None, read: Callable[[str], T]) -> tuple[T, ...]:
    """What a list with commas holds. Raises UsageError for what is empty, wrong or there twice."""
    if text is None:
        return ()
    pieces = _pieces(text)
    if not all(pieces):
        raise UsageError(f"{text!r} is no list with commas", where=option, remedy="as in 1,2,3")
    try:
        values = tuple(read(piece) for piece in pieces)
    except ValueError as error:
        raise UsageError(str(error), where=option) from error
    twice = next((value for value in values if values.count(value) > 1), None)
    if twice is not None:
        raise UsageError(f"{twice} stands there twice", where=option, remedy="give each value once")
    return values


def _pieces(text: str) -> list[str]:
    """What stands between the commas outside of brackets and quotes; nothing where one of these does not end."""
    pieces, depth, quote = [""], 0, ""
    for char in text:
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        else:
            depth += (char in "[{") - (char in "]}")
        if char == "," and not depth and not quote:
            pieces.append("")
        else:
            pieces[-1] += char
    return [piece.strip() for piece in pieces] if not depth and not quote else [""]


def _size(text: str) -> Size:
    if text == ALL:
        return ALL
    if not text.isdecimal() or int(text) < 2:
        raise ValueError(f"{text!r} is neither a number of training examples nor all")
    return int(text)


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"{text!r} is no seed: a whole number of at least 0")
    return int(text)


def _variant(parts: Sequence[_Part]) -> Variant:
    name = ", ".join(part.name for part in parts if part.name) or "recipe"
    slug = re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-.")[:_LONGEST_SLUG]
    return Variant(name, slug or "variant", tuple(o for part in parts for o in part.overrides))


def _with_own_slugs(variants: Sequence[Variant]) -> Iterator[Variant]:
    """Two names that become one slug (`a=[1]`, `a=(1)`) are numbered."""
    seen: dict[str, int] = {}
    for variant in variants:
        count = seen[variant.slug.lower()] = seen.get(variant.slug.lower(), 0) + 1
        yield variant if count == 1 else replace(variant, slug=f"{variant.slug}-{count}")
