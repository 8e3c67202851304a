"""The images or texts of a run's examples, from where the recipe says that they lie; nothing is downloaded for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ftcli.errors import DataError, FtcliError
from ftcli.plans.data_splits import DataSplits
from ftcli.recipe.schema import Recipe
from ftcli.registry import implementation

if TYPE_CHECKING:
    from PIL.Image import Image

OpenImage = Callable[[str], "Image | str"]
"""An example's image or text by its name. Raises DataError where it is gone, or cannot be read any more."""


def images_of(recipe: Recipe) -> OpenImage:
    """Raises FtcliError where the data as a whole cannot be opened any more."""
    splits = implementation(recipe.data, "open_splits")(_without_split_file(recipe).data, recipe.seed)
    return images_by_name(splits)


def images_by_name(splits: DataSplits) -> OpenImage:
    """Of data that are open."""
    index_of = {example.key: index for index, example in enumerate(splits.examples)}

    def load(name: str) -> Image | str:
        if name not in index_of:
            raise DataError("it is gone", where=name)
        return splits.load(index_of[name])

    return load


def images_or_reason(recipe: Recipe | None) -> OpenImage | str:
    """Or why there are none."""
    if recipe is None:
        return "the recipe cannot be read"
    try:
        return images_of(recipe)
    except FtcliError as error:
        return error.what
    except (OSError, ImportError, ValueError) as error:  # a library that reads them is gone, or its source
        return str(error) or type(error).__name__


def _without_split_file(recipe: Recipe) -> Recipe:
    """Only the examples are wanted; the file that divided them may be gone."""
    split = recipe.data.split.model_copy(update={"file": None})
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"split": split})})
