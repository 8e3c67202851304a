"""Backbones of timm: its models that declare their depth and end in one linear layer."""

from __future__ import annotations

from math import floor
from pathlib import Path
from typing import Any

import timm
from timm.models import get_pretrained_cfg
from torch import nn

from ftcli.plan.preprocessing import Preprocessing

from . import _efficientnet_lite0 as lite0
from ._depth import Depth
from ._errors import no_default_weights, no_such_model, not_fetched, unsupported, wrong_size
from ._opened import Opened, build
from ._weights import is_file, load_weights, read_tensors


def names() -> list[str]:
    """Every model of timm, without the tags of its weights.

    Some cannot be opened (see `_head_path` and `_depth`); to tell which, each would have to be built.
    """
    found: list[str] = timm.list_models()
    return found


def tags(name: str) -> list[str]:
    """The weights that a model has: NAME.TAG opens it with them. Empty for one that has none."""
    architecture = name.partition(".")[0]
    return [full.partition(".")[2] for full in timm.list_pretrained(f"{architecture}.*")]


def default_tag(name: str) -> str | None:
    """The tag of the weights that NAME stands for; None where there are none."""
    config = _config(name)
    return str(config.tag) if config.has_weights else None


def preprocessing(name: str) -> Preprocessing:
    """What the default weights were evaluated with. Raises ModelError where the images are not square."""
    config = timm.data.resolve_data_config(pretrained_cfg=_config(name).to_dict())
    height, width = config["input_size"][1:]
    if height != width:
        raise unsupported(f"timm/{name}", f"its images are {height} by {width} pixels, not square")
    return Preprocessing(
        image_size=height,
        resize_size=floor(height / config["crop_pct"]),
        interpolation=config["interpolation"],
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
    )


def open_model(
    name: str, weights: str = "default", image_size: int | None = None, *, meta: bool = False
) -> Opened:
    """See `open_backbone`. The positions of a transformer are resampled where `image_size` is not its own."""
    own = preprocessing(name)
    size = image_size or own.image_size
    from_file = is_file(weights)
    default = _pretrained(name) if weights == "default" else None
    packaged = lite0.packaged_file() if default == lite0.TIMM_WEIGHTS else None
    download = default is not None and packaged is None and not meta
    model = _construct(name, size, download=download, meta=meta)
    heads = (_head_path(name, model),)
    note = f"{default} of timm" if default else "random"
    if packaged:
        note = lite0.note()
        if not meta:
            model.load_state_dict(lite0.to_timm(read_tensors(packaged)))
    elif from_file:
        note = load_weights(model, Path(weights), heads)
    return Opened(model, heads, _depth(name, model), own.at_size(size), note)


def _config(name: str) -> Any:
    """timm's record of a model's weights, source and preprocessing."""
    try:
        config = get_pretrained_cfg(name)
    except RuntimeError as error:
        architecture = name.partition(".")[0]
        raise no_such_model("timm", name, [f"{architecture}.{tag}" for tag in tags(name)]) from error
    if config is None or not timm.is_model(name):
        raise no_such_model("timm", name, names())
    return config


def _pretrained(name: str) -> str:
    """The default weights with their tag."""
    tag = default_tag(name)
    if tag is None:
        raise no_default_weights("timm", name)
    return f"{name.partition('.')[0]}.{tag}"


def _construct(name: str, size: int, *, download: bool, meta: bool) -> nn.Module:
    config = _config(name)
    options: dict[str, Any] = {}
    if not config.num_classes:
        options["num_classes"] = 1  # published without a classifier; this one only holds its place
    if config.fixed_input_size and size != config.input_size[-1]:
        options["img_size"] = size
    try:
        return build(lambda: timm.create_model(name, pretrained=download, **options), meta=meta)
    except Exception as error:  # a download fails in as many ways as there are transports
        if download:
            raise not_fetched(f"{_pretrained(name)} of timm", error) from error
        if "img_size" in options:
            raise wrong_size(f"timm/{name}", size, str(error)) from error
        raise


def _head_path(name: str, model: Any) -> str:
    """Where the one linear layer is that gives the logits. Raises ModelError for none, or several."""
    path = model.pretrained_cfg.get("classifier")
    if not path or not hasattr(model, "get_classifier"):
        raise unsupported(f"timm/{name}", "it ends in no classifier")
    if not isinstance(path, str) or isinstance(model.get_classifier(), tuple | list | nn.ModuleList):
        raise unsupported(f"timm/{name}", "it has several classifiers")
    try:
        classifier = model.get_submodule(path)
    except AttributeError:
        classifier = None
    if not isinstance(classifier, nn.Linear):
        kind = "missing" if classifier is None else f"a {type(classifier).__name__}"
        raise unsupported(f"timm/{name}", f"its classifier is {kind}, not a linear layer")
    return path


def _depth(name: str, model: Any) -> Depth:
    try:
        return Depth(stages=model.group_matcher(coarse=True), layers=model.group_matcher(coarse=False))
    except (AttributeError, AssertionError) as error:
        raise unsupported(f"timm/{name}", "it does not declare its depth (group_matcher)") from error
