"""Backbones of torchvision: all its image classifiers.

The auxiliary classifiers of GoogLeNet and Inception v3 help to train from nothing; they are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import urlparse

import torch
import torchvision.models as zoo
from torch import nn
from torchvision.models import WeightsEnum

from ftcli.offline import OFFLINE, is_offline
from ftcli.plans.preprocessing import IMAGENET, Preprocessing

from . import _torchvision_depth as depth
from ._depth import Depth
from ._errors import no_default_weights, no_such_model, not_fetched, wrong_size
from ._imagenet import with_synsets
from ._opened import Opened, build
from ._weights import is_file, load_weights, not_opened, tensors_alone


class _Family(NamedTuple):
    head_path: str
    depth: Callable[[Any], Depth]


FAMILIES: dict[type[nn.Module], _Family] = {
    zoo.AlexNet: _Family("classifier.6", depth.alexnet),
    zoo.ConvNeXt: _Family("classifier.2", depth.pyramid),
    zoo.DenseNet: _Family("classifier", depth.densenet),
    zoo.EfficientNet: _Family("classifier.1", depth.efficientnet),
    zoo.GoogLeNet: _Family("fc", depth.googlenet),
    zoo.Inception3: _Family("fc", depth.inception),
    zoo.MaxVit: _Family("classifier.5", depth.maxvit),
    zoo.MNASNet: _Family("classifier.1", depth.mnasnet),
    zoo.MobileNetV2: _Family("classifier.1", depth.mobilenet),
    zoo.MobileNetV3: _Family("classifier.3", depth.mobilenet),
    zoo.RegNet: _Family("fc", depth.regnet),
    zoo.ResNet: _Family("fc", depth.resnet),
    zoo.ShuffleNetV2: _Family("fc", depth.shufflenet),
    zoo.SqueezeNet: _Family("classifier.1", depth.squeezenet),
    zoo.SwinTransformer: _Family("head", depth.pyramid),
    zoo.VGG: _Family("classifier.6", depth.vgg),
    zoo.VisionTransformer: _Family("heads.head", depth.vision_transformer),
}
_WITH_AUXILIARY = ("googlenet", "inception_v3")
_AUXILIARY = ("aux1", "aux2", "AuxLogits")


def names() -> list[str]:
    """Every image classifier of torchvision, without the tags of its weights."""
    found: list[str] = zoo.list_models(module=zoo)
    return found


def exceptions() -> dict[str, str]:
    """The models that cannot be opened, and why: there are none."""
    return {}


def tags(name: str) -> list[str]:
    """The weights that a model has: NAME.TAG opens it with them. Empty for one that has none."""
    return [member.name for member in zoo.get_model_weights(_architecture(name))]


def default_tag(name: str) -> str | None:
    """The tag of the weights that NAME stands for; None where there are none."""
    weights = _weights_of(name)
    return weights.name if weights else None


def class_names(name: str) -> tuple[str, ...]:
    """See `backbone.class_names`: of ImageNet, with the names that its folders have."""
    weights = _weights_of(name)
    return with_synsets(weights.meta["categories"]) if weights else ()


def preprocessing(name: str) -> Preprocessing:
    """What the default weights were evaluated with; ImageNet's usual where there are none."""
    weights = _weights_of(name)
    if weights is None:
        return IMAGENET
    transforms = weights.transforms()
    return Preprocessing(
        image_size=transforms.crop_size[0],
        resize_size=transforms.resize_size[0],
        interpolation=transforms.interpolation.value,
        mean=tuple(transforms.mean),
        std=tuple(transforms.std),
        antialias=bool(transforms.antialias),
    )


def open_model(
    name: str,
    weights: str = "default",
    image_size: int | None = None,
    *,
    meta: bool = False,
    config: Mapping[str, Any] | None = None,
) -> Opened:
    """See `open_backbone`. NAME.TAG takes the weights of that tag, NAME those that torchvision prefers.

    The pretrained vision transformers take images of their own size only. A name says all of the
    architecture, so there is no `config`.
    """
    own = preprocessing(name)
    size = image_size or own.image_size
    from_file = is_file(weights)
    default = _pretrained(name, size, own.image_size) if weights == "default" else None
    model = _construct(name, size, None if meta else default, meta=meta)
    family = FAMILIES[type(model)]
    note = f"{default} of torchvision" if default else "random"
    if from_file:
        note = load_weights(model, Path(weights), (family.head_path, *_AUXILIARY))
    heads = (family.head_path,)
    return Opened(
        model, heads, family.depth(model), own.at_size(size), note, has_classifier=default is not None
    )


def _architecture(name: str) -> str:
    """The name without its tag. Raises ModelError for one that is not to be had."""
    architecture = name.partition(".")[0]
    if architecture not in names():
        raise no_such_model("torchvision", name, names())
    return architecture


def _weights_of(name: str) -> WeightsEnum | None:
    weights = zoo.get_model_weights(_architecture(name))
    tag = name.partition(".")[2]
    if tag and tag not in weights.__members__:
        raise no_such_model("torchvision", name, [f"{_architecture(name)}.{known}" for known in tags(name)])
    return getattr(weights, tag or "DEFAULT", None)


def _pretrained(name: str, size: int, own_size: int) -> WeightsEnum:
    weights = _weights_of(name)
    if weights is None:
        raise no_default_weights("torchvision", name)
    if size != own_size and _size_options(name, size):
        raise wrong_size(f"torchvision/{name}", size, f"its pretrained weights are for {own_size}")
    return weights


def _construct(name: str, size: int, weights: WeightsEnum | None, *, meta: bool) -> nn.Module:
    options = _size_options(name, size)
    fixed = _auxiliary_options(name, random=weights is None and not meta)
    if weights is not None and is_offline() and not _kept(weights).is_file():
        raise not_fetched(f"{weights} of torchvision", ConnectionError(OFFLINE))
    try:
        with tensors_alone():
            return build(
                lambda: zoo.get_model(_architecture(name), weights=weights, **options, **fixed), meta=meta
            )
    except (AssertionError, ValueError) as error:
        if not options:
            raise
        raise wrong_size(f"torchvision/{name}", size, str(error)) from error
    except Exception as error:  # a download fails in as many ways as there are transports
        if weights is None:
            raise
        if _kept(weights).is_file():
            raise not_opened(_kept(weights), "remove it: it is downloaded again") from error
        raise not_fetched(f"{weights} of torchvision", error) from error


def _kept(weights: WeightsEnum) -> Path:
    """Where torch keeps the file that these weights are downloaded as."""
    return Path(torch.hub.get_dir(), "checkpoints", PurePosixPath(urlparse(weights.url).path).name)


def _auxiliary_options(name: str, *, random: bool) -> dict[str, Any]:
    """The network is the same with weights and without: no auxiliary classifiers, and the input shifted to
    what the published weights were trained with. torchvision does neither of itself where it loads none.
    """
    if _architecture(name) not in _WITH_AUXILIARY:
        return {}
    return {"aux_logits": False, "transform_input": True, "init_weights": random}


def _size_options(name: str, size: int) -> dict[str, Any]:
    """What a model that is made for one image size calls it; nothing for one that takes any."""
    if name.startswith("vit_"):
        return {"image_size": size}
    if name.startswith("maxvit_"):
        return {"input_size": (size, size)}
    return {}
