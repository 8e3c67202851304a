"""Areas and average precisions, against scikit-learn and torchmetrics; ties, and classes that nothing has."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from torchmetrics.functional import classification

from ftcli.engine.ranking import area_under_roc, average_precision

PAIRS = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=60)


@settings(max_examples=200, deadline=None)
@given(PAIRS)
def test_they_are_scikit_learn_s_with_however_many_ties(pairs: list[tuple[int, bool]]) -> None:
    scores, has = (torch.tensor(column) for column in zip(*pairs, strict=True))
    area, precision = area_under_roc(scores.float(), has), average_precision(scores.float(), has)
    if not has.any():
        assert (area, precision) == (None, None)
        return
    assert precision == pytest.approx(metrics.average_precision_score(has.numpy(), scores.numpy()))
    if has.all():
        assert area is None
    else:
        assert area == pytest.approx(metrics.roc_auc_score(has.numpy(), scores.numpy()))


def test_they_are_torchmetrics_s() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(3000, generator=generator)
    has = torch.rand(3000, generator=generator) < scores
    expected = classification.binary_auroc(scores, has.long()).item()
    assert area_under_roc(scores, has) == pytest.approx(expected, abs=1e-6)
    expected = classification.binary_average_precision(scores, has.long()).item()
    assert average_precision(scores, has) == pytest.approx(expected, abs=1e-6)


def test_of_nothing_there_is_nothing_to_say() -> None:
    assert area_under_roc(torch.empty(0), torch.empty(0, dtype=torch.bool)) is None
    assert average_precision(torch.empty(0), torch.empty(0, dtype=torch.bool)) is None


def test_by_hand() -> None:
    """Of the pairs (3, 2), (3, 1), (1, 2), (1, 1) two are in order, one is not, one is a tie."""
    assert (
        area_under_roc(torch.tensor([3.0, 2.0, 1.0, 1.0]), torch.tensor([True, False, True, False])) == 0.625
    )
