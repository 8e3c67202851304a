"""Every example read once before anything trains, in batches; of images also what one run leaves for the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ftcli.engine.batches import ImageBatches
from ftcli.engine.images import ImageStore
from ftcli.engine.network import must_be_images
from ftcli.engine.packed_batches import PackedBatches
from ftcli.engine.packing import PackedStore
from ftcli.engine.placement import num_workers
from ftcli.engine.text_batches import TextBatches
from ftcli.engine.texts import TextStore
from ftcli.engine.work import Batches
from ftcli.plans.audit import AuditReport
from ftcli.plans.data_splits import DataSplits
from ftcli.plans.inputs import Inputs
from ftcli.plans.preprocessing import Preprocessing
from ftcli.recipe.schema import Recipe
from ftcli.workflows.cache import pixel_cache
from ftcli.workflows.probe import Floor

if TYPE_CHECKING:
    from ftcli.workflows.prepare import Prepared


@dataclass
class Decoded:
    """The images of the run before, for another run on the same examples: the next fold, another variant."""

    store: ImageStore | None = None
    audits: dict[str, AuditReport] = field(default_factory=dict)
    """What its audit saw: see audit_gate."""
    floors: dict[str, Floor] = field(default_factory=dict)
    """Of all runs so far, what their linear probes came to: see probe."""

    def of(self, splits: DataSplits, preprocessing: Inputs) -> ImageStore | None:
        """They, divided as `splits`; None where the examples or what becomes of them are others.

        Images that cannot be read and are left out count among the examples: that is asked anew for every run.
        """
        store = self.store
        if store is None or store.preprocessing != preprocessing or store.splits.left_out:
            return None
        return store.divided_as(splits) if store.splits.examples == splits.examples else None


def image_batches(
    recipe: Recipe,
    prepared: Prepared,
    on_progress: Callable[[int, int], None],
    decoded: Decoded | None = None,
) -> Batches:
    """Every image decoded once, before anything trains, and kept in memory where they fit; texts are read already.

    What `decoded` holds is taken from there, and what is decoded here is left there.
    """
    if isinstance(prepared.store, PackedStore):
        return PackedBatches(prepared.store, prepared.plan.batch_size, prepared.plan.seed)
    if isinstance(prepared.store, TextStore):
        return TextBatches(prepared.store, prepared.plan.batch_size, prepared.plan.seed)
    plan, preparation = prepared.plan, must_be_images(prepared.plan.preprocessing, recipe.model.backbone)
    store = prepared.store
    if store is None and decoded is not None:
        store = decoded.of(prepared.splits, preparation)
        if store is not None and not store.scanned:  # this run trains on more of them
            store.scan(num_workers(recipe.runtime.workers), on_progress)
    if store is None or store.preprocessing != preparation:
        store = scanned(recipe, prepared.splits, preparation, on_progress)
    if decoded is not None:
        decoded.store = store
    return ImageBatches(
        store,
        plan.batch_size,
        plan.seed,
        num_workers(recipe.runtime.workers),
        pin_memory=plan.machine.device == "cuda",
        crops=plan.crops,
        device=plan.machine.device,
    )


def scanned(
    recipe: Recipe,
    splits: DataSplits,
    preprocessing: Preprocessing,
    on_progress: Callable[[int, int], None],
    *,
    skip: bool = False,
) -> ImageStore:
    memory = int(recipe.runtime.image_memory_gb * 2**30)
    store = ImageStore(splits, preprocessing, memory, pixel_cache(recipe))
    store.scan(num_workers(recipe.runtime.workers), on_progress, skip=skip)
    return store
