"""Backbones of timm: its models that end in classifiers, which a new head can replace.

NAME and NAME.TAG are timm's own, hf-hub:OWNER/NAME is a repository of the Hugging Face hub, local-dir:PATH a
folder with config.json and the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from math import floor
from pathlib import Path
from typing import Any

import timm
from torch import nn

from ftcli.errors import ModelError
from ftcli.plans.preprocessing import Fit, Preprocessing

from . import _efficientnet_lite0 as lite0
from ._depth import Depth
from ._errors import no_default_weights, not_fetched, unsupported, wrong_size
from ._hub import without_waiting
from ._imagenet import of_imagenet
from ._module_order import by_module_order
from ._opened import Opened, build, is_below, is_classifier
from ._timm_depth import depth_of
from ._timm_record import Record, from_config, is_listed, read_record
from ._weights import is_file, load_weights, read_tensors

_ENCODER = "it is the encoder of a language model and ends in no classifier"
_NOT_SQUARE = "its images are 1024 by 768 pixels, not square"
EXCEPTIONS: Mapping[str, str] = {
    "deepseek_vit_412m_enc": _ENCODER,
    "gemma4_vit_167m_enc": _ENCODER,
    "gemma4_vit_570m_enc": _ENCODER,
    "mobilenetv5_300m_enc": _ENCODER,
    "qwen3_vit_306m_enc": _ENCODER,
    "qwen3_vit_416m_enc": _ENCODER,
    "qwen3_vit_88m_enc": _ENCODER,
    "vit_5b_patch16_sapiens2": _NOT_SQUARE,
    "vit_base_patch16_sapiens2": _NOT_SQUARE,
    "vit_giant_patch16_sapiens2": _NOT_SQUARE,
    "vit_huge_patch16_sapiens2": _NOT_SQUARE,
    "vit_large_patch16_sapiens2": _NOT_SQUARE,
}
"""The architectures that are refused, and why."""

_FITS: Mapping[str, Fit] = {"squash": "squash", "border": "pad"}
"""timm's crop modes; any other is the usual one."""


def names() -> list[str]:
    """Every model of timm that can be opened, without the tags of its weights."""
    return [name for name in timm.list_models() if name not in EXCEPTIONS]


def exceptions() -> dict[str, str]:
    """The models of this timm that cannot be opened, and why."""
    return {name: EXCEPTIONS[name] for name in timm.list_models() if name in EXCEPTIONS}


def tags(name: str) -> list[str]:
    """The weights that a model has: NAME.TAG opens it with them. Empty for one that has none."""
    if not is_listed(name):
        return []
    architecture = name.partition(".")[0]
    return [full.partition(".")[2] for full in timm.list_pretrained(f"{architecture}.*")]


def default_tag(name: str) -> str | None:
    """The tag of the weights that NAME stands for; None where there are none."""
    record = read_record(name)
    return str(record.pretrained.tag or record.weights) if record.weights else None


def class_names(name: str) -> tuple[str, ...]:
    """See `backbone.class_names`: as the record has them, else ImageNet's, where their number tells."""
    record = read_record(name).pretrained
    names = record.label_names or ()
    if isinstance(names, Mapping):
        names = names.values()
    return tuple(map(str, names)) or of_imagenet(record.num_classes)


def preprocessing(name: str) -> Preprocessing:
    """What the default weights were evaluated with. Raises ModelError where that cannot be had."""
    return _preprocessing(read_record(name))


def open_model(
    name: str,
    weights: str = "default",
    image_size: int | None = None,
    *,
    meta: bool = False,
    config: Mapping[str, Any] | None = None,
) -> Opened:
    """See `open_backbone`. The positions of a transformer are resampled where `image_size` is not its own.

    `config` is what an `Opened` of a hub's repository or a folder said; with it neither is asked.
    """
    record = from_config(name, config) if config is not None else read_record(name)
    own = _preprocessing(record)
    size = image_size or own.image_size
    from_file = is_file(weights)
    default = _default_weights(record) if weights == "default" else None
    packaged = lite0.packaged_file() if default == f"{lite0.TIMM_WEIGHTS} of timm" else None
    download = default is not None and packaged is None and not meta
    model = _construct(record, size, download=download, meta=meta)
    heads = heads_of(model)
    if not heads:
        raise _refused(record, "it ends in no linear layer or 1x1 convolution that a head could replace")
    note = default or "random"
    if packaged:
        note = lite0.note()
        if not meta:
            model.load_state_dict(lite0.to_timm(read_tensors(packaged)))
    elif from_file:
        note = load_weights(model, Path(weights), heads)
    depth = depth_of(model) or by_module_order(model, heads)
    has_classifier = default is not None and bool(record.pretrained.num_classes)
    return Opened(model, heads, depth, own.at_size(size), note, record.config, has_classifier=has_classifier)


def heads_of(model: Any) -> tuple[str, ...]:
    """Where the layers are that give the logits; empty where none could be replaced.

    The record of the weights names them for the whole family: a variant may have fewer (it was not distilled),
    or, of those that nobody trained, more.
    """
    named = model.pretrained_cfg.get("classifier") or ()
    paths = [named] if isinstance(named, str) else named
    modules = dict(model.named_modules())
    found = [path for path in paths if path in modules and is_classifier(modules[path])]
    for classifier in _classifiers(model):
        below = [path for path in modules if is_below(path, [classifier])]
        if not set(found) & set(below):
            found += [path for path in below if is_classifier(modules[path])][-1:]
    return tuple(found)


def declared_of(model: Any) -> tuple[tuple[str, ...], Depth] | None:
    """Heads and depth of a model that timm built for somebody else; None where timm declares neither."""
    heads, depth = heads_of(model), depth_of(model)
    return (heads, depth) if heads and depth else None


def _classifiers(model: Any) -> list[str]:
    """The paths of what timm would replace for other classes, which may hold more than the last layer."""
    if not hasattr(model, "get_classifier"):
        return []
    made = model.get_classifier()
    made = made if isinstance(made, tuple | list) else [made]
    return [path for path, module in model.named_modules() if any(module is one for one in made)]


def _preprocessing(record: Record) -> Preprocessing:
    if record.architecture in EXCEPTIONS:
        raise _refused(record, EXCEPTIONS[record.architecture])
    images = timm.data.resolve_data_config(pretrained_cfg=record.pretrained.to_dict())
    channels, height, width = images["input_size"]
    if channels != 3:
        raise _refused(record, f"its images have {channels} channels, not three")
    if height != width:
        raise _refused(record, f"its images are {height} by {width} pixels, not square")
    return Preprocessing(
        image_size=height,
        resize_size=floor(height / images["crop_pct"]),
        interpolation=images["interpolation"],
        mean=tuple(images["mean"]),
        std=tuple(images["std"]),
        fit=_FITS.get(images["crop_mode"], "crop"),
    )


def _default_weights(record: Record) -> str:
    if record.weights is None:
        raise no_default_weights("timm", record.name)
    return record.weights


def _construct(record: Record, size: int, *, download: bool, meta: bool) -> nn.Module:
    options = record.options
    if not record.pretrained.num_classes:
        options["num_classes"] = 1  # published without a classifier; this one only holds its place
    resized = record.pretrained.fixed_input_size and size != record.pretrained.input_size[-1]
    if resized:
        options["img_size"] = size
    name = record.name if is_listed(record.name) else record.architecture
    try:
        with without_waiting() if download else nullcontext():
            return build(lambda: timm.create_model(name, pretrained=download, **options), meta=meta)
    except Exception as error:  # a download fails in as many ways as there are transports
        if download:
            raise not_fetched(_default_weights(record), error) from error
        if resized:
            raise wrong_size(f"timm/{record.name}", size, str(error)) from error
        raise


def _refused(record: Record, why: str) -> ModelError:
    return unsupported(f"timm/{record.name}", why)
