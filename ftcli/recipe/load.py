"""A recipe file and the overrides of the command line into a Recipe, or every mistake in them at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ftcli.errors import Problem, RecipeError, UsageError
from ftcli.recipe import overrides as command_line
from ftcli.recipe.check import check
from ftcli.recipe.schema import Recipe
from ftcli.recipe.yaml_source import MAX_BYTES, Document, Found, Place, nearest_place, parse

_START = "ftcli recipes ls: examples to start from"


@dataclass(frozen=True)
class Source:
    """Where each part of a recipe was written."""

    places: Mapping[str, Place]

    def at(self, path: str) -> str:
        """`file:line:column` of a recipe path, or the `--set` that gave it.

        Of a path that is not written: the nearest part around it that is.
        """
        return nearest_place(self.places, path).text


@dataclass(frozen=True)
class LoadedRecipe:
    recipe: Recipe
    source: Source


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe in a file; see `load`."""
    return load(path, overrides).recipe


def load(path: str | Path, overrides: Sequence[str] = ()) -> LoadedRecipe:
    """The recipe in a file, changed by `overrides` (`optimizer.lr=1e-4`), and where its parts were written.

    Raises RecipeError with every problem, in the order of the file; UsageError when there is no file to read.
    """
    document = parse(read_text(Path(path)), str(path))
    if not isinstance(document.data, dict):
        raise RecipeError(_no_mapping(document))
    found = [*document.found, *command_line.apply(document, overrides)]
    document.data.setdefault("name", _name_from(Path(path)))
    recipe, problems = check(document.data)
    found += [_located(problem, document) for problem in problems]
    if recipe is None or found:
        raise RecipeError(*(each.problem for each in sorted(found, key=lambda each: each.place)))
    return LoadedRecipe(recipe, Source(document.places))


def recipe_from(content: Mapping[str, Any]) -> Recipe:
    """The recipe in plain data. Raises RecipeError with every problem."""
    recipe, problems = check(dict(content))
    if recipe is None:
        raise RecipeError(*problems)
    return recipe


def with_places(error: RecipeError, source: Source) -> RecipeError:
    """The same problems, each told where it was written; for problems that are found after loading."""
    return RecipeError(*(replace(p, at=p.at or source.at(p.path)) for p in error.problems))


def read_text(path: Path) -> str:
    """A recipe's file: at most MAX_BYTES of UTF-8, with or without a byte order mark. Raises UsageError."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise UsageError(f"there is no recipe {path}", remedy=_START) from error
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read the recipe {path}: {getattr(error, 'strerror', error)}") from error
    if len(raw) > MAX_BYTES:
        raise RecipeError(Problem("", f"more than {MAX_BYTES:,} bytes are no recipe", at=f"{path}:1:1"))
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        bad = Problem("", "not UTF-8", "save the file as UTF-8", f"{path}:{line}:{column}")
        raise RecipeError(bad) from error


def _no_mapping(document: Document) -> Problem:
    where = document.places[""].text
    if document.data is None:
        return Problem(
            "",
            "the recipe is empty: it needs data, model and strategy",
            f"{_START}; or ftcli init DIR",
            where,
        )
    return Problem("", "expected a mapping with data, model and strategy at the top", _START, where)


def _name_from(path: Path) -> str:
    """The file's name as a run may be called: of letters, digits, dots, dashes and underscores."""
    return re.sub(r"[^A-Za-z0-9_.\-]+", "-", path.stem).strip("-_.") or "run"


def _located(problem: Problem, document: Document) -> Found:
    place = nearest_place(document.places, problem.path)
    return Found(place, replace(problem, at=place.text))
