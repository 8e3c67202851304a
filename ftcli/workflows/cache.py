"""What is kept on disk between runs: opened for a run, listed, and cleared."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftcli.components.data.image import MAX_PIXELS
from ftcli.engine.cache.features import FeatureShelf
from ftcli.engine.cache.home import (
    allowed_bytes,
    backbones_folder,
    effects_folder,
    stamps_folder,
    store_folder,
)
from ftcli.engine.cache.manifest import Kind
from ftcli.engine.cache.pixels import PixelCache
from ftcli.engine.cache.store import Entry, Store
from ftcli.plans.inputs import size_of
from ftcli.recipe.schema import Recipe

if TYPE_CHECKING:
    from ftcli.engine.inputs import ExampleStore
    from ftcli.workflows.prepare import Prepared

DAY = 24 * 60 * 60


@dataclass(frozen=True)
class CachedItem:
    """`entries` are images, or rows of features; `used` is when they were last asked for, by the ISO."""

    key: str
    what: str
    kind: Kind
    bytes: int
    entries: int
    created: str
    used: str


@dataclass(frozen=True)
class CacheListing:
    """The last used first. `max_bytes` is the bound that holds here and now."""

    folder: str
    max_bytes: int
    items: tuple[CachedItem, ...]

    @property
    def bytes(self) -> int:
        return sum(item.bytes for item in self.items)

    def to_dict(self) -> dict[str, Any]:
        items = [vars(item) for item in self.items]
        return {"folder": self.folder, "bytes": self.bytes, "max_bytes": self.max_bytes, "items": items}


@dataclass(frozen=True)
class Cleared:
    """What was removed, and what was asked for but is in use."""

    removed: tuple[CachedItem, ...]
    kept: tuple[CachedItem, ...]

    @property
    def bytes(self) -> int:
        return sum(item.bytes for item in self.removed)

    def to_dict(self) -> dict[str, Any]:
        parts = {"removed": self.removed, "kept": self.kept}
        return {"bytes": self.bytes} | {name: [vars(i) for i in items] for name, items in parts.items()}


def open_store(recipe: Recipe) -> Store | None:
    """None where nothing is to be kept."""
    allowed = allowed_bytes(int(recipe.cache.disk_gb * 2**30))
    return Store(store_folder(), allowed) if allowed else None


def feature_shelf(recipe: Recipe, prepared: Prepared, images: ExampleStore) -> FeatureShelf | None:
    """For what the frozen layers of a run make of its images."""
    store, plan = open_store(recipe), prepared.plan
    if store is None or recipe.cache.prefix == "off":
        return None
    backbone = {
        "name": plan.layer_map.backbone,
        "config": json.dumps(prepared.network.config, sort_keys=True, default=str),
        "group_norm": plan.norm.to_group_norm,
        "image_size": size_of(plan.preprocessing),
        "deterministic": plan.deterministic,
    }
    if prepared.network.adapters is not None:  # their scale is in no tensor
        backbone["adapters"] = prepared.network.adapters.to_dict()
    what = f"{Path(images.splits.source).name}: {plan.layer_map.backbone.rpartition('/')[2]}"
    return FeatureShelf(
        store,
        images,
        what,
        backbone,
        plan.precision,
        plan.batch_size,
        plan.machine.device,
        plan.seed,
        # Crops of a batch may be rounded otherwise.
        {**plan.augment, **({"crops": plan.crops} if plan.crops == "batch" else {})},
    )


def pixel_cache(recipe: Recipe) -> PixelCache | None:
    """For the images of a recipe."""
    store = open_store(recipe)
    max_pixels = getattr(recipe.data, "max_pixels", MAX_PIXELS)
    return None if store is None else PixelCache(store, stamps_folder(), max_pixels)


def cache_listing() -> CacheListing:
    store = Store(store_folder(), allowed_bytes())
    items = tuple(_item(entry) for entry in reversed(store.entries()))
    return CacheListing(str(store.folder), store.max_bytes, items)


def would_clear(kind: Kind | None, older_days: float | None) -> tuple[CachedItem, ...]:
    return tuple(_item(entry) for entry in _asked(Store(store_folder(), 0), kind, older_days))


def clear_cache(kind: Kind | None, older_days: float | None) -> Cleared:
    """What nobody uses of it. Where all is asked for, what is known of files, libraries and networks goes too."""
    store = Store(store_folder(), 0)
    store.sweep()
    entries = list(_asked(store, kind, older_days))
    removed = [store.remove(entry) for entry in entries]
    if kind is None and older_days is None:
        for folder in (stamps_folder(), backbones_folder(), effects_folder()):
            shutil.rmtree(folder, ignore_errors=True)
    items = [_item(entry) for entry in entries]
    gone = [item for item, done in zip(items, removed, strict=True) if done]
    return Cleared(tuple(gone), tuple(item for item, done in zip(items, removed, strict=True) if not done))


def _asked(store: Store, kind: Kind | None, older_days: float | None) -> Iterable[Entry]:
    before = time.time() - (older_days or 0) * DAY
    return (entry for entry in store.entries(kind) if older_days is None or entry.used < before)


def _item(entry: Entry) -> CachedItem:
    manifest = entry.manifest
    used = datetime.fromtimestamp(entry.used, UTC).isoformat(timespec="seconds")
    what = str(manifest.about.get("what", "?"))
    rows = manifest.shape[0] if manifest.shape else 1
    return CachedItem(manifest.key, what, manifest.kind, manifest.bytes, rows, manifest.created, used)
