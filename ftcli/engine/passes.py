"""The ways of a stream through the frozen part, and the batches of what was kept of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from ftcli.components import augment
from ftcli.engine.asked import Pass
from ftcli.engine.batches import Batch
from ftcli.engine.kept import Kept, KeptBatches, Ledger
from ftcli.engine.kept_texts import text_rows
from ftcli.engine.text_batches import TextBatches
from ftcli.engine.variation import MIRRORED
from ftcli.engine.work import Work
from ftcli.plans.data_splits import TRAIN, VAL
from ftcli.plans.phase import Phase

Passes = Mapping[str, list[Pass]]
"""By stream."""


def passes_of_phase(work: Work, phase: Phase) -> Passes:
    """Of what its epochs read."""
    return {TRAIN: passes_of(work, TRAIN, phase.prefix.views), VAL: passes_of(work, VAL, 1)}


def passes_of(work: Work, stream: str, views: int) -> list[Pass]:
    """The stream as evaluation sees it, its mirror image too, or each of its augmented views."""
    count = len(work.batches.store.splits.streams[stream])
    lengths = work.batches.store.lengths(stream) if isinstance(work.batches, TextBatches) else None
    tokens = sum(lengths or ())

    def again(kept: Kept, by_token: bool) -> Iterator[Batch]:
        """Nothing is spared by it: what is made of it would have been made without."""
        return batches_of(work, stream, (kept,), by_token=by_token, ledger=Ledger()).evaluation()

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


def batches_of(
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
