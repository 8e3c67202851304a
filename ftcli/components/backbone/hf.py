"""Backbones of transformers: image classifiers, vision models whose pooled features a head can take, text encoders,
language models.

`hf/MODEL_TYPE` is an architecture with its usual config and no weights, `hf/OWNER/NAME` a repository on the
Hugging Face hub, `hf/PATH` a folder that begins with `.`, `/` or `~`. Weights are read as safetensors alone, and
no code that comes with a model is ever run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftcli.errors import ModelError
from ftcli.plans.preprocessing import Preprocessing

from ._decoder_families import DECODERS
from ._errors import no_such_model, unsupported, wrong_size
from ._hf_causal import open_causal
from ._hf_depth import depth_of
from ._hf_files import Files, find_files, is_path, is_repository
from ._hf_images import images_of, usual_images
from ._hf_library import library, quietly
from ._hf_network import (
    FEATURES,
    ONE_SIZE,
    Plan,
    config_values,
    construct,
    construct_with,
    finish,
    head_paths,
    plan_of,
    resize,
)
from ._hf_text import open_text
from ._hf_weights import find_tensors
from ._opened import Opened
from ._text_families import FAMILIES

_EXCEPTIONS = {
    "dinat": "its attention needs the package natten",
    "imagegpt": "it reads an image as a text of colours, not as pixels",
    "perceiver": "its classifier is inside the decoder, which is its only layer after the latents",
    "shieldgemma2": "it is a language model that is shown an image",
    "siglip2": "it takes patches in rows with a mask (NaFlex); the checkpoints of one size are of type siglip",
    "timm_wrapper": "its models are timm's: write timm/hf-hub:OWNER/NAME",
}


def names() -> list[str]:
    """Every model type that can be opened; repositories and folders are not listed."""
    library()
    with quietly():
        from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES as known
        from transformers.models.auto.modeling_auto import (
            MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES as classifiers,
        )
    return sorted(({*classifiers, *FEATURES, *FAMILIES, *DECODERS} & set(known)) - set(_EXCEPTIONS))


def exceptions() -> dict[str, str]:
    """The types of image classifiers that cannot be opened, and why."""
    return dict(_EXCEPTIONS)


def tags(name: str) -> list[str]:
    """None: a repository has one set of weights, and its name says which."""
    return []


def default_tag(name: str) -> str | None:
    """What NAME's weights are called: the hub's or a folder's. None for a model type, which has none."""
    if is_path(name):
        return "folder" if find_files(name).has_weights() else None
    return "hub" if is_repository(name) else None


def class_names(name: str) -> tuple[str, ...]:
    """See `backbone.class_names`: as the config has them."""
    labels = plan_of(_find(name, None)[1], name).config.id2label or {}
    return tuple(str(labels[number]) for number in sorted(labels))


def preprocessing(name: str) -> Preprocessing:
    """What the processor beside the weights does; ImageNet's usual where there is none. Raises ModelError."""
    files, values = _find(name, None)
    return _images(name, files, plan_of(values, name))


def open_model(
    name: str,
    weights: str = "default",
    image_size: int | None = None,
    *,
    meta: bool = False,
    config: Mapping[str, Any] | None = None,
) -> Opened:
    """See `open_backbone`. With `meta` of a repository the description alone is downloaded.

    The positions of a transformer are resampled where it was trained at another size than `image_size`. `config`
    is what an `Opened` said; with it neither hub nor folder is asked.
    """
    files, values = _find(name, config)
    if values.get("model_type") in FAMILIES:
        return open_text(name, files, values, weights, image_size, meta=meta)
    if values.get("model_type") in DECODERS:
        return open_causal(name, files, values, weights, image_size, meta=meta)
    plan = plan_of(values, name)
    own = _images(name, files, plan)
    size = image_size or own.image_size
    if weights == "none" and config is None:
        resize(plan.config, size)
    _must_fit(name, plan.config, size)
    note, tensors = find_tensors(name, files, weights, meta=meta)
    has_classifier = False
    if tensors is None or meta:
        model = construct(plan, name, meta=meta)
    else:
        model, has_classifier = construct_with(plan, tensors, note if weights == "default" else weights)
    finish(model, plan, resample=size != _side(plan.config))
    heads = head_paths(model)
    depth, values = depth_of(model, heads), config_values(plan)
    return Opened(model, heads, depth, own.at_size(size), note, values, has_classifier=has_classifier)


def _find(name: str, config: Mapping[str, Any] | None) -> tuple[Files | None, Mapping[str, Any]]:
    """The files, where there are any, and the content of config.json."""
    if config is not None:
        return None, config
    if is_path(name) or is_repository(name):
        files = find_files(name)
        values = files.config()
        if values.get("model_type") in _EXCEPTIONS:
            raise unsupported(f"hf/{name}", _EXCEPTIONS[values["model_type"]])
        if "model_type" not in values and "architecture" in values:
            raise unsupported(f"hf/{name}", _EXCEPTIONS["timm_wrapper"])
        return files, values
    if name in _EXCEPTIONS:
        raise unsupported(f"hf/{name}", _EXCEPTIONS[name])
    if name not in names():
        raise _unknown(name)
    return None, {"model_type": name}


def _unknown(name: str) -> ModelError:
    error = no_such_model("hf", name, names())
    remedy = f"{error.remedy}; a repository is hf/OWNER/NAME, a folder hf/./{name}"
    return ModelError(error.what, remedy=remedy)


def _images(name: str, files: Files | None, plan: Plan) -> Preprocessing:
    size = getattr(plan.config, "image_size", None)
    if getattr(plan.config, "num_channels", 3) != 3:
        raise unsupported(f"hf/{name}", f"its images have {plan.config.num_channels} channels, not 3")
    if files is None or not files.has_images:
        return usual_images(size, name)
    return images_of(files.folder, size, name)


def _must_fit(name: str, config: Any, size: int) -> None:
    side = _side(config)
    if config.model_type in ONE_SIZE and side is not None and size != side:
        raise wrong_size(f"hf/{name}", size, f"its weights are for {side}")


def _side(config: Any) -> int | None:
    """The pixels that the config's positions are for; None for a network that takes any."""
    size = getattr(config, "image_size", None)
    return size if size is None or isinstance(size, int) else int(size[0])
