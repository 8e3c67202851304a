"""Backbones of timm: every model that declares its depth and ends in one linear layer."""

from __future__ import annotations

from math import floor
from pathlib import Path
from typing import Any

import timm
from torch import nn

from ftcli.errors import ModelError
from ftcli.plan.preprocessing import Preprocessing

from . import _efficientnet_lite0 as lite0
from ._depth import Depth
from ._errors import no_default_weights, no_such_model, not_fetched, unsupported, wrong_size
from ._opened import Opened, build
from ._weights import is_file, load_weights, read_tensors


def names() -> list[str]:
    """Every model of timm, without the tags of its weights; some end in more than one head and are refused."""
    return timm.list_models()


def tags(name: str) -> list[str]:
    """The pretrained weights that there are for a model; `NAME.TAG` opens it with these."""
    return [one.partition(".")[2] for one in timm.list_pretrained(f"{name.partition('.')[0]}.*")]


def preprocessing(name: str) -> Preprocessing:
    """What the weights of that name were trained with. Raises ModelError for a size that is not square."""
    config = timm.data.resolve_data_config(pretrained_cfg=_config(name).to_dict())
    height, width = config["input_size"][1:]
    if height != width:
        raise unsupported(f"timm/{name}", f"its images are {height} by {width} pixels, not square")
    return Preprocessing(
        image_size=height,
        resize_size=floor(height / config["crop_pct"]),
        interpolation=config["interpolation"] if config["interpolation"] != "random" else "bicubic",
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
    )


def open_model(
    name: str, weights: str = "default", image_size: int | None = None, *, meta: bool = False
) -> Opened:
    """See `open_backbone`. NAME.TAG takes the weights of that tag, NAME those that timm prefers."""
    config = _config(name)
    packaged = _packaged(name) if weights == "default" else None
    if weights == "default" and not packaged and not config.has_weights:
        raise no_default_weights("timm", name)
    from_file = is_file(weights)
    own = preprocessing(name)
    size = image_size or own.image_size
    download = weights == "default" and not packaged and not meta
    model = _construct(name, config, size, pretrained=download, meta=meta)
    head_path = _head_path(name, model, config)
    if packaged and not meta:
        model.load_state_dict(lite0.to_timm(read_tensors(packaged)))
    note = "random" if weights == "none" else lite0.note() if packaged else f"{_full_name(config)} of timm"
    if from_file:
        note = f"file {Path(weights).name}" if meta else load_weights(model, Path(weights), head_path)
    return Opened(model, head_path, _depth(name, model), own.at_size(size), note)
