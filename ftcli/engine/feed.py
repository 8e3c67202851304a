"""Where a phase's batches come from, and the part of the network that they go through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, takewhile

from torch import Tensor

from ftcli.components import augment
from ftcli.engine.batches import Batch
from ftcli.engine.cut import Cut
from ftcli.engine.evaluate import predict_logits
from ftcli.engine.feature_feed import PassedBatches, not_varied, varied_batches
from ftcli.engine.folded import UNFOLDED, Fold
from ftcli.engine.freeze import enter_eval_mode
from ftcli.engine.kept import Kept, KeptBatches, Ledger
from ftcli.engine.kept_texts import text_rows
from ftcli.engine.mixing import mixing_of
from ftcli.engine.prefix_cache import Pass
from ftcli.engine.sampler import Order, order_of
from ftcli.engine.stopwatch import span
from ftcli.engine.text_batches import TextBatches
from ftcli.engine.variation import MIRRORED
from ftcli.engine.work import Work
from ftcli.events import Noticed, Working
from ftcli.findings import Finding
from ftcli.plans.data_splits import TRAIN, VAL
from ftcli.plans.folding import frozen_below
from ftcli.plans.phase import Phase

PROOF_EXAMPLES = 4


@dataclass(frozen=True)
class Feed:
    """`forward` maps what the batches hold to logits (B, C): images, or what the frozen part made of them."""

    forward: Callable[[Tensor], Tensor]
    training: Callable[[int, int], Iterator[Batch]]
    """Epoch and batch -> its batches from that one on; what lies before it is not loaded."""
    validation: Callable[[], Iterator[Batch]]


def feed_of(work: Work, phase: Phase) -> Feed:
    """From what the frozen part made of the images, where the plan says so and it can be kept; else from images.

    Both give the same batches in the same order: in fp32 the same bits come of it.
    """
    order = work.batches.arranged(order_of(work.plan.sampler, work.batches.store.splits, work.plan.seed))
    streams = _streams(phase)
    if work.augment.kind == "features" and phase.prefix.kept:
        feed = _of_features(work, phase, streams, order)
        if feed is not None:
            return feed
    else:
        found = _from_kept(work, phase, streams)
        if found:
            cut, (train, val) = found
            work.from_kept.add(phase.name)
            return Feed(cut.suffix, lambda epoch, first: train.training(epoch, order, first), val.evaluation)
    return Feed(
        forward=_fold(work, phase).applied(work.forward),
        training=mixing_of(
            augment.mixing(work.augment, len(work.plan.classes)),
            lambda epoch, first: work.batches.training(
                epoch, work.augment, order, _view(work, phase, epoch), first
            ),
            work.plan.seed,
        ),
        validation=lambda: work.batches.evaluation(VAL),
    )


def _streams(phase: Phase) -> dict[str, int]:
    """What a phase reads, and how many views of each."""
    return {TRAIN: phase.prefix.views, VAL: 1}


def _of_features(work: Work, phase: Phase, streams: Mapping[str, int], order: Order) -> Feed | None:
    """From what the frozen part makes of the images, varied, kept or not; None, and a finding, without a cut."""
    cut = _cut(work, phase, streams)
    if cut is None:
        work.tell(Noticed(not_varied(_stage(work, phase.prefix.boundary))))
        return None
    kept = kept_batches(work, cut, streams)
    if kept:
        work.from_kept.add(phase.name)
    train, val = kept or (PassedBatches(work, cut, TRAIN), PassedBatches(work, cut, VAL))
    return Feed(cut.suffix, varied_batches(work, train, order).training, val.evaluation)


def keep_lowest(work: Work, phases: Sequence[Phase], boundary: int) -> None:
    """What is kept lowest in the coming phases, first: what is kept of the same examples above it, as below `boundary`,
    is then computed from it.

    Nothing is done where none lies lower, or no disk is there to keep both.
    """
    coming = list(takewhile(lambda phase: phase.prefix.kept, phases))  # in others something below may train
    lowest = min(coming, key=lambda phase: phase.prefix.boundary, default=None)
    if work.prefixes.shelf is not None and lowest is not None and lowest.prefix.boundary < boundary:
        _from_kept(work, lowest, _streams(lowest))


def predict_stream(work: Work, phase: Phase, stream: str) -> tuple[Tensor, Tensor]:
    """Logits (N, C) and labels of a stream, from what is kept of what `phase` froze, as far as it is."""
    found = _from_kept(work, phase, {stream: 1})
    if found:
        cut, (kept,) = found
        forward, batches = cut.suffix, kept.evaluation()
    else:
        forward, batches = _fold(work, phase).applied(work.forward), work.batches.evaluation(stream)
    enter_eval_mode(work.network)
    return predict_logits(forward, batches, work.device, work.plan.precision, work.passes)


def _from_kept(work: Work, phase: Phase, views: Mapping[str, int]) -> tuple[Cut, list[KeptBatches]] | None:
    """Streams, so many views of each, from below a cut; None where the plan says so, or it cannot be."""
    cut = _cut(work, phase, views) if phase.prefix.kept else None
    kept = kept_batches(work, cut, views) if cut else None
    return (cut, kept) if cut and kept else None


def kept_batches(work: Work, cut: Cut, views: Mapping[str, int]) -> list[KeptBatches] | None:
    """Streams, so many views of each, from below the cut; None, and a finding, where that is too much to keep."""
    stage = _stage(work, cut.boundary)
    passes = {stream: _passes(work, stream, count) for stream, count in views.items()}
    what = f"frozen part below {stage}"
    with span("prefix"):
        kept = work.prefixes.get(
            work.network,
            cut,
            [each for several in passes.values() for each in several],
            lambda done, total: work.tell(Working(what, done, total)),
        )
    if kept is None:
        work.tell(Noticed(_too_much(stage)))
        return None
    rest = iter(kept)
    return [
        _batches(work, stream, tuple(islice(rest, len(several))), by_token=cut.by_token)
        for stream, several in passes.items()
    ]


def _batches(
    work: Work, stream: str, kept: tuple[Kept, ...], *, by_token: bool, ledger: Ledger | None = None
) -> KeptBatches:
    plan, texts = work.plan, None
    if isinstance(work.batches, TextBatches):
        store = work.batches.store
        order, lengths = work.batches.longest_first(stream), store.lengths(stream)
        texts = text_rows(order, lengths, store.preprocessing, by_token=by_token)
    labels = work.batches.targets(stream).to(work.device)
    indices = work.batches.store.splits.streams[stream]
    ledger = work.prefixes.ledger if ledger is None else ledger
    by_coin = stream == TRAIN and len(kept) > 1 and work.augment.kind == "flip"
    return KeptBatches(
        kept, labels, plan.batch_size, plan.seed, work.device, ledger, indices, by_coin=by_coin, texts=texts
    )


def _passes(work: Work, stream: str, views: int) -> list[Pass]:
    """The stream as evaluation sees it, its mirror image too, or each of its augmented views."""
    count = len(work.batches.store.splits.streams[stream])
    lengths = work.batches.store.lengths(stream) if isinstance(work.batches, TextBatches) else None
    tokens = sum(lengths or ())

    def again(kept: Kept, by_token: bool) -> Iterator[Batch]:
        """Nothing is spared by it: what is made of it would have been made without."""
        return _batches(work, stream, (kept,), by_token=by_token, ledger=Ledger()).evaluation()

    def passed(view: int | None, batches: Callable[[], Iterator[Batch]]) -> Pass:
        return Pass(stream, view, count, batches, tokens, again)

    as_evaluated = passed(None, lambda: work.batches.evaluation(stream))
    if stream != TRAIN or lengths or augment.shows_the_same(work.augment):
        return [as_evaluated]
    if work.augment.kind == "flip":
        return [as_evaluated, passed(MIRRORED, lambda: work.batches.view(MIRRORED, work.augment))]
    return [
        passed(view, lambda v=view: work.batches.view(v, work.augment))  # type: ignore[misc]
        for view in range(views)
    ]


def _view(work: Work, phase: Phase, epoch: int) -> int | None:
    """Which augmentation an epoch has: its own, or that of one of the views which come again."""
    own = not phase.prefix.kept or work.augment.kind == "flip"
    return None if own else epoch % phase.prefix.views


def _fold(work: Work, phase: Phase) -> Fold:
    """The frozen batch norms, where the plan folds them and the proof holds."""
    boundary = phase.prefix.boundary
    if not _folds(work, phase):
        return UNFOLDED
    fold = work.prefixes.fold(work.network, boundary, lambda: _proof(work))
    if not fold.convolutions:
        work.tell(Noticed(_not_folded(_stage(work, boundary), fold.error)))
    return fold


def _folds(work: Work, phase: Phase) -> bool:
    return work.plan.fold_bn == "folded" and bool(frozen_below(work.plan.layer_map, [phase]))


def _cut(work: Work, phase: Phase, views: Mapping[str, int]) -> Cut | None:
    cut = _cut_above_folded(work, phase, views) or work.prefixes.cut(
        work.network, phase.prefix.boundary, lambda: _proof(work), _fold(work, phase)
    )
    if cut is None:
        stage = _stage(work, phase.prefix.boundary)
        work.tell(Noticed(_not_cut(stage, texts=isinstance(work.batches, TextBatches))))
    return cut


def _cut_above_folded(work: Work, phase: Phase, views: Mapping[str, int]) -> Cut | None:
    """Where an earlier run has left all that is asked for, folded: nothing below will be computed, so that there is
    nothing to fold. None where there is, or where frozen layers lie above the cut.
    """
    boundary, prefixes = phase.prefix.boundary, work.prefixes
    if not _folds(work, phase):
        return None
    passes = [each for stream, count in views.items() for each in _passes(work, stream, count)]
    rounding = prefixes.find_folded(work.network, boundary, passes)
    if not rounding:
        return None
    cut = prefixes.cut(work.network, boundary, lambda: _proof(work))
    return replace(cut, rounding=rounding) if cut and cut.boundary == boundary else None


def _proof(work: Work) -> Tensor:
    """A few examples: the proof that a cut is right needs the whole network twice."""
    return work.batches.some(PROOF_EXAMPLES)


def _stage(work: Work, boundary: int) -> str:
    return work.network.layer_map.layers[boundary].stage


def _not_folded(stage: str, error: float) -> Finding:
    why = (
        "none follows a convolution that nothing else uses"
        if error == 0
        else f"it would move the features by {error:.1e} of their norm"
    )
    return Finding(
        "info",
        stage,
        f"the batch norms below {stage} are not folded into convolutions: {why}",
        "nothing to do; the run only takes longer",
        "batch-norm-not-folded",
    )


def _not_cut(stage: str, *, texts: bool) -> Finding:
    why = ", or rounds otherwise where texts are padded further" if texts else ""
    return Finding(
        "info",
        stage,
        f"the network cannot be cut in two below {stage}{why}: its frozen part is computed in every epoch",
        "nothing to do; the numbers are the same",
        "network-not-cut",
    )


def _too_much(stage: str) -> Finding:
    return Finding(
        "info",
        "runtime.image_memory_gb",
        f"what the frozen part below {stage} makes of the examples does not fit: it is computed in every epoch",
        "raise runtime.image_memory_gb, or lower cache.views; the numbers are the same",
        "prefix-too-large",
    )
