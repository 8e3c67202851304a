"""What frozen layers made of images, kept between runs: found again by everything that decides its bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from torch import Tensor

from ftcli.engine.cache import keys
from ftcli.engine.cache.store import Store
from ftcli.engine.cache.writer import Writer
from ftcli.engine.images import ImageStore
from ftcli.engine.packing import PackedStore
from ftcli.engine.texts import TextStore

BACKBONES = ("timm", "transformers")
"""Libraries whose code the layers are, where they are installed; torchvision's is among those of the images."""

TEXTS_VERSION = 1
"""Raised whenever texts come in another order, or are padded otherwise."""


@dataclass
class FeatureShelf:
    """The store, and what all features of one run have in common. `what` names them for people."""

    store: Store
    images: ImageStore | TextStore | PackedStore
    what: str
    backbone: Mapping[str, Any]
    """What the network is beside its weights: its name, its configuration, what was changed in it."""
    precision: str
    batch_size: int
    device: str
    seed: int
    augment: Mapping[str, Any]
    _contents: dict[int, bytes] = field(default_factory=dict)

    def key(
        self, below: str, boundary: int, stream: str, view: int | None, at_once: int | None = None
    ) -> str:
        """`below`: a digest of the weights under the boundary; `view` None where images are not augmented.

        A mirror image is the same for every seed and under every number; what else is augmented is drawn by both.

        `at_once`: batches go through in parts of so many images, for want of memory; None: whole.
        """
        indices = self.images.splits.streams[stream]
        drawn = view is not None and self.augment["kind"] != "flip"
        preparation = keys.of_preparation(self.images.preprocessing, 0, keys.versions())
        return keys.of_features(
            examples=keys.of_examples(self._content(index) for index in indices),
            preparation=preparation,
            prefix=f"{below} {boundary} {sorted(self.backbone.items())}",
            precision=self.precision,
            batch_size=self.batch_size,
            at_once=at_once,
            device=keys.device_name(self.device),
            seed=self.seed if drawn else 0,
            view=view or 0,
            # A variant is drawn by an example's number: the same images under other numbers are varied otherwise.
            augment=None if view is None else {**self.augment, **({"indices": indices} if drawn else {})},
            made_with={**keys.versions(), **code_versions(), **self._batches()},
        )

    def _batches(self) -> Mapping[str, str]:
        """How examples are put together: images as they come."""
        return {"texts": str(TEXTS_VERSION)} if isinstance(self.images, TextStore) else {}

    def open(self, key: str) -> Tensor | None:
        return self.store.open(key)

    def create(self, key: str, name: str, shape: Sequence[int], dtype: torch.dtype) -> Writer:
        return self.store.create(key, "features", shape, dtype, {"what": f"{self.what}, {name}"})

    def _content(self, index: int) -> bytes:
        if index not in self._contents:
            self._contents[index] = self.images.content(index)
        return self._contents[index]


@cache
def code_versions() -> Mapping[str, str]:
    found = {}
    for name in BACKBONES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    return found
