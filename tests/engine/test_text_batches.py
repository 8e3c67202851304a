"""Batches of texts: of like length, the same whenever they are asked for, and every text as often as its order says."""

from __future__ import annotations

import pytest
import torch

from ftcli.engine.sampler import order_of
from ftcli.engine.text_batches import POOL, TextBatches, by_length
from ftcli.engine.tokenizer import padded
from ftcli.plans.data_splits import TRAIN, VAL
from ftcli.plans.tokenization import PAD
from tests.engine.test_texts import store_of, words

COUNT, BATCH = 403, 4
LENGTHS = [(number * 7919) % 30 for number in range(COUNT)]


def batches_of_texts() -> TextBatches:
    return TextBatches(store_of([words(n, n) for n in LENGTHS], max_length=40), BATCH, seed=5)


@pytest.fixture(scope="module")
def batches() -> TextBatches:
    return batches_of_texts()


def test_evaluation_has_every_text_once_the_longest_first(batches: TextBatches) -> None:
    """And tells which it is, so that what comes of it can be put in the order of the stream."""
    found = list(batches.evaluation(VAL))
    stream = batches.store.splits.streams[VAL]
    places = [place for batch in found for place in batch.places]
    assert sorted(places) == list(range(len(stream)))
    assert [i for batch in found for i in batch.indices] == [stream[place] for place in places]
    assert torch.equal(torch.cat([batch.labels for batch in found]), batches.targets(VAL)[places])
    lengths = [len(batches.store[stream[place]]) for place in places]
    assert lengths == sorted(lengths, reverse=True)
    in_order = [
        padded([batches.store[i] for i in stream[n : n + BATCH]], batches.store.preprocessing)
        for n in range(0, len(stream), BATCH)
    ]
    assert padding(found) < sum(int((each == PAD).sum()) for each in in_order) * 0.6
    for batch in found:
        for row, index in zip(batch.inputs, batch.indices, strict=True):
            assert torch.equal(row[row != PAD], batches.store[index])


def test_an_epoch_has_every_text_once_and_little_padding(batches: TextBatches) -> None:
    order = batches.arranged(order_of("shuffle", batches.store.splits, 5))
    found = list(batches.training(3, None, order))
    assert sorted(i for batch in found for i in batch.indices) == sorted(batches.store.splits.streams[TRAIN])
    plain = list(batches.training(3, None))
    assert padding(found) < padding(plain) * 0.6


def padding(found: list) -> int:
    return sum(int((batch.inputs == PAD).sum()) for batch in found)


def test_epochs_differ_and_their_lengths_come_by_chance(batches: TextBatches) -> None:
    order = batches.arranged(order_of("shuffle", batches.store.splits, 5))
    first, second = order(0), order(1)
    assert first != second
    widths = [batch.inputs.shape[1] for batch in batches.training(0, None, order)]
    assert widths != sorted(widths)
    assert widths != sorted(widths, reverse=True)


def test_batches_are_a_function_of_seed_and_epoch(batches: TextBatches) -> None:
    """Made by another process, asked for before or after other epochs, they are the same, as for a resumed run."""
    again = batches_of_texts()
    order = batches.arranged(order_of("shuffle", batches.store.splits, 5))
    other = again.arranged(order_of("shuffle", again.store.splits, 5))
    list(again.training(0, None, other))
    whole, rest = list(batches.training(2, None, order)), list(again.training(2, None, other, first=7))
    assert [b.indices for b in rest] == [b.indices for b in whole][7:]
    assert all(torch.equal(x.inputs, y.inputs) for x, y in zip(rest, whole[7:], strict=True))


def test_drawn_examples_come_as_often_as_they_were_drawn(batches: TextBatches) -> None:
    drawn = order_of("balanced", batches.store.splits, 5)
    assert sorted(batches.arranged(drawn)(0)) == sorted(drawn(0))


@pytest.mark.parametrize("count", [1, 3, BATCH, BATCH + 1, 2 * BATCH + 1, POOL * BATCH, POOL * BATCH + 3])
def test_any_number_of_texts_is_arranged(count: int) -> None:
    arranged = by_length(lambda epoch: list(range(count)), [n % 5 for n in range(count)], BATCH, 0)
    assert sorted(arranged(0)) == list(range(count))
