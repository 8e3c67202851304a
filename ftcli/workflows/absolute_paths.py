"""A recipe that can be run from any directory: its files and folders by their absolute paths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ftcli.recipe.schema import Recipe
from ftcli.registry import implementation

LOCAL_DIR = "timm/local-dir:"
PATHS = ("path", "root", "val_path", "test_path")
"""Fields of a source of data that are files or folders."""


def with_absolute_paths(recipe: Recipe) -> Recipe:
    """The recipe as a run folder keeps it: usable from any directory."""
    data, model = recipe.data, recipe.model
    paths: dict[str, Any] = {
        key: str(Path(value).absolute())
        for key in PATHS
        if (value := getattr(data, key, None)) and not _is_of_the_hub(data, value)
    }
    if data.split.file is not None:
        file = str(Path(data.split.file).absolute())
        paths["split"] = data.split.model_copy(update={"file": file})
    weights = model.weights
    if weights not in ("default", "none"):
        weights = str(Path(weights).absolute())
    forgetting = recipe.forgetting and recipe.forgetting.model_copy(
        update={"path": str(Path(recipe.forgetting.path).absolute())}
    )
    return recipe.model_copy(
        update={
            "forgetting": forgetting,
            "data": data.model_copy(update=paths),
            "model": model.model_copy(
                update={"weights": weights, "backbone": with_absolute_path(model.backbone)}
            ),
        }
    )


def _is_of_the_hub(data: Any, path: str) -> bool:
    """Whether `data.path` is a name there, and no place on this machine."""
    return data.kind in ("hf_dataset", "text_hf_dataset") and not implementation(data, "is_local")(path)


def with_absolute_path(backbone: str) -> str:
    """A backbone that is a folder (hf/./mine, timm/local-dir:mine), so that any directory finds it."""
    name = backbone.removeprefix("hf/")
    if name != backbone and name.startswith((".", "~")):
        return f"hf/{Path(name).expanduser().absolute()}"
    folder = backbone.removeprefix(LOCAL_DIR)
    return f"{LOCAL_DIR}{Path(folder).expanduser().absolute()}" if folder != backbone else backbone
