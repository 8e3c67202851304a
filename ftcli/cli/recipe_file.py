"""A recipe file for a command: problems found later are told with the file's line too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ftcli.errors import RecipeError

if TYPE_CHECKING:
    from ftcli.recipe.schema import Recipe


@contextmanager
def opened(path: Path, overrides: Sequence[str] | None) -> Iterator[Recipe]:
    """The validated recipe. A RecipeError raised within gets its places in the file."""
    from ftcli.recipe.load import load, with_places

    loaded = load(path, overrides or ())
    try:
        yield loaded.recipe
    except RecipeError as error:
        raise with_places(error, loaded.source) from error
