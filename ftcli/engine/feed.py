"""Where a phase's batches come from, and the part of the network that they go through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

from torch import Tensor, nn

from ftcli.components import augment
from ftcli.engine.asked import Below
from ftcli.engine.batches import Batch
from ftcli.engine.coming import keep_below, told
from ftcli.engine.cut import Cut
from ftcli.engine.evaluate import predict_logits
from ftcli.engine.feature_feed import PassedBatches, not_varied, varied_batches
from ftcli.engine.freeze import enter_eval_mode
from ftcli.engine.frozen_part import cut_of, fold_of, proof_of, stage_of
from ftcli.engine.kept import KeptBatches
from ftcli.engine.mixing import mixing_of
from ftcli.engine.passes import Passes, batches_of, passes_of, passes_of_phase
from ftcli.engine.sampler import Order, order_of
from ftcli.engine.stopwatch import span
from ftcli.engine.work import Work
from ftcli.events import Noticed
from ftcli.findings import Finding
from ftcli.plans.data_splits import TRAIN, VAL
from ftcli.plans.phase import Phase


@dataclass(frozen=True)
class Feed:
    """`forward` maps what the batches hold to logits (B, C): images, or what the frozen part made of them."""

    forward: Callable[[Tensor], Tensor]
    training: Callable[[int, int], Iterator[Batch]]
    """Epoch and batch -> its batches from that one on; what lies before it is not loaded."""
    validation: Callable[[], Iterator[Batch]]
    head: nn.Module | None = None
    """All that `forward` computes, where the batches are kept features."""


def feed_of(work: Work, phase: Phase) -> Feed:
    """From what the frozen part made of the images, where the plan says so and it can be kept; else from images.

    Both give the same batches in the same order: in fp32 the same bits come of it.
    """
    order = work.batches.arranged(order_of(work.plan.sampler, work.batches.store.splits, work.plan.seed))
    passes = passes_of_phase(work, phase)
    if work.augment.kind == "features" and phase.prefix.kept:
        feed = _of_features(work, phase, passes, order)
        if feed is not None:
            return feed
    else:
        found = _from_kept(work, phase, passes)
        if found:
            cut, (train, val) = found
            work.from_kept.add(phase.name)
            return Feed(
                forward=cut.suffix,
                training=lambda epoch, first: train.training(epoch, order, first),
                validation=val.evaluation,
                head=cut.head,
            )
    return Feed(
        forward=fold_of(work, phase).applied(work.forward),
        training=mixing_of(
            augment.mixing(work.augment, len(work.plan.classes)),
            lambda epoch, first: work.batches.training(
                epoch, work.augment, order, _view(work, phase, epoch), first
            ),
            work.plan.seed,
        ),
        validation=lambda: work.batches.evaluation(VAL),
    )


def _of_features(work: Work, phase: Phase, passes: Passes, order: Order) -> Feed | None:
    """From what the frozen part makes of the images, varied, kept or not; None, and a finding, without a cut."""
    cut = cut_of(work, phase, list(chain(*passes.values())))
    if cut is None:
        work.tell(Noticed(not_varied(stage_of(work, phase.prefix.boundary))))
        return None
    kept = kept_batches(work, phase, cut, passes)
    if kept:
        work.from_kept.add(phase.name)
    train, val = kept or (PassedBatches(work, cut, TRAIN), PassedBatches(work, cut, VAL))
    training, head = varied_batches(work, train, order).training, cut.head if kept else None
    return Feed(cut.suffix, training, val.evaluation, head)


def predict_stream(work: Work, phase: Phase, stream: str) -> tuple[Tensor, Tensor]:
    """Logits (N, C) and labels of a stream, from what is kept of what `phase` froze, as far as it is."""
    found = _from_kept(work, phase, {stream: passes_of(work, stream, 1)})
    if found:
        cut, (kept,) = found
        forward, batches = cut.suffix, kept.evaluation()
    else:
        forward, batches = fold_of(work, phase).applied(work.forward), work.batches.evaluation(stream)
    enter_eval_mode(work.network)
    return predict_logits(forward, batches, work.device, work.plan.precision, work.passes)


def _from_kept(work: Work, phase: Phase, passes: Passes) -> tuple[Cut, list[KeptBatches]] | None:
    """Streams from below a cut; None where the plan says so, or it cannot be."""
    cut = cut_of(work, phase, list(chain(*passes.values()))) if phase.prefix.kept else None
    kept = kept_batches(work, phase, cut, passes) if cut else None
    return (cut, kept) if cut and kept else None


def kept_batches(work: Work, phase: Phase, cut: Cut, passes: Passes) -> list[KeptBatches] | None:
    """Streams from below the cut; None, and a finding, where that is too much to keep."""
    stage = stage_of(work, cut.boundary)
    with span("prefix"):
        kept = work.prefixes.get(
            work.network,
            cut,
            list(chain(*passes.values())),
            told(work, stage),
            Below(lambda: proof_of(work), lambda missing: keep_below(work, phase, missing)),
        )
    if kept is None:
        work.tell(Noticed(_too_much(stage)))
        return None
    rest = iter(kept)
    return [
        batches_of(work, stream, tuple(islice(rest, len(several))), by_token=cut.by_token)
        for stream, several in passes.items()
    ]


def _view(work: Work, phase: Phase, epoch: int) -> int | None:
    """Which augmentation an epoch has: its own, or that of one of the views which come again."""
    own = not phase.prefix.kept or work.augment.kind == "flip"
    return None if own else epoch % phase.prefix.views


def _too_much(stage: str) -> Finding:
    return Finding(
        "info",
        "runtime.image_memory_gb",
        f"what the frozen part below {stage} makes of the examples does not fit: it is computed in every epoch",
        "raise runtime.image_memory_gb, or lower cache.views; the numbers are the same",
        "prefix-too-large",
    )
