"""What bf16 did to a network's features, remembered by everything that decides it: to know takes the network twice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor

from ftcli.engine.cache import keys
from ftcli.engine.cache.columns import read_columns, write_columns
from ftcli.engine.cache.features import code_versions
from ftcli.engine.cache.home import effects_folder
from ftcli.engine.network import Network
from ftcli.engine.prefix_digest import prefix_digest
from ftcli.plans.training_plan import Bf16Effect

VERSION = 1
"""Raised whenever the effect is measured otherwise."""


def kept_effect(key: str, measure: Callable[[], Bf16Effect]) -> Bf16Effect:
    """What was measured under this key; else it is measured now, and kept."""
    path = effects_folder() / f"{key}.npz"
    kept = read_columns(path, VERSION)
    try:
        return Bf16Effect(float(kept["error"]), int(kept["images"]), bool(kept["finite"]))
    except (KeyError, TypeError, ValueError):  # there is none, or it is another's
        found = measure()
    columns = {"error": found.error, "images": found.num_images, "finite": found.finite_in_fp32}
    write_columns(path, VERSION, {name: np.array(value) for name, value in columns.items()})
    return found


def key_of(network: Network, images_BCHW: Tensor, device: str, at_once: int) -> str:
    """The network's modules and its weights below the head, the images, and who computes."""
    return keys.of_effect(
        modules=repr(network.model),
        weights=prefix_digest(network, network.layer_map.layers[-1].index),
        backbone=(network.layer_map.backbone, network.config),
        preprocessing=network.preprocessing.to_dict(),
        images=keys.of_pixels(images_BCHW).hex(),
        at_once=at_once,
        device=keys.device_name(device),
        versions={**keys.versions(), **code_versions()},
    )
