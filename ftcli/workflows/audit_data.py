"""What `ftcli audit` is given, opened: a recipe's data, or a folder or manifest as a recipe would read it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftcli.errors import DataError, RecipeError, UsageError
from ftcli.plans.data_splits import DataSplits
from ftcli.recipe.check import check
from ftcli.recipe.load import Source, load_recipe, with_places
from ftcli.recipe.overrides import apply
from ftcli.recipe.schema import Recipe
from ftcli.recipe.yaml_source import Document, Place
from ftcli.registry import implementation, kinds
from ftcli.workflows.data_kind import kind_of

_READ = re.compile(r"\s*(data([.\[].*)?|seed)\s*=.*", re.DOTALL)
"""The overrides that change what an audit of plain data sees."""


@dataclass(frozen=True)
class AuditedData:
    recipe: Recipe
    splits: DataSplits
    command: str
    """What a person types to audit the same again."""


def open_data(path: Path, overrides: Sequence[str] = ()) -> AuditedData:
    """The data of a recipe, or what a folder or a manifest holds, split as training would with seed 0.

    Whether these are images, texts or documents is seen from them, or said by data.kind. Raises RecipeError for
    overrides that are wrong, UsageError for those that change nothing here.
    """
    is_recipe = path.suffix.lower() in (".yaml", ".yml") and not path.is_dir()
    recipe = load_recipe(path, overrides) if is_recipe else _recipe_for(path, overrides)
    changes = [part for override in overrides for part in ("--set", override)]
    command = shlex.join(["ftcli", "audit", str(path), *changes])
    return AuditedData(recipe, _as_it_stands(recipe), command)


def as_written(data: AuditedData, file: Path) -> DataSplits:
    """The same data divided by a split file, read as training reads it. Raises DataError."""
    return _opened(_with_split(data.recipe, file=str(file), by="ratio", folds=None, fold=0))


def _as_it_stands(recipe: Recipe) -> DataSplits:
    """As training would have it; and groups that the source itself has torn, which training refuses."""
    try:
        return _opened(recipe)
    except DataError:
        if recipe.data.split.by != "group":
            raise
        splits = _opened(_with_split(recipe, by="ratio"))
        if splits.drawn:  # then it is not the source's own split that is at fault
            raise
        return splits


def _with_split(recipe: Recipe, **changes: Any) -> Recipe:
    split = recipe.data.split.model_copy(update=changes)
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"split": split})})


def _opened(recipe: Recipe) -> DataSplits:
    splits: DataSplits = implementation(recipe.data, "open_splits")(recipe.data, recipe.seed)
    return splits


def _recipe_for(path: Path, overrides: Sequence[str]) -> Recipe:
    """The shortest recipe for these data; nothing of it but data and seed is looked at."""
    idle = [override for override in overrides if "=" in override and not _READ.fullmatch(override)]
    if idle:
        what = f"{idle[0].partition('=')[0].strip()} changes nothing in an audit of data"
        raise UsageError(
            what, where=str(path), remedy="set a field of data, or seed; the rest needs a recipe"
        )
    if not path.exists():
        remedy = "give a folder, a manifest or a recipe"
        raise DataError("no such file or folder", where=str(path), remedy=remedy)
    data: dict[str, Any] = {"path": str(path)}
    content = {"data": data, "model": {"backbone": "timm/none"}, "strategy": "full"}
    document = Document(content, {"": Place(1, 1, str(path))}, ())
    found = apply(document, overrides)
    _complete(document.data, path)
    recipe, problems = check(document.data)
    if recipe is None or found:
        wrong = RecipeError(*(each.problem for each in found), *problems)
        raise with_places(wrong, Source(document.places))
    return recipe


def _complete(content: dict[str, Any], path: Path) -> None:
    """The kind of data, where no override has said it, and the task that has such data. Raises DataError."""
    data = content["data"]
    if not isinstance(data, dict):
        return
    if "kind" not in data:
        data["kind"] = kind_of(path, data)
    options = kinds("data").get(str(data["kind"]))
    if options is not None:
        content["task"] = getattr(options, "task", "image_classification")
