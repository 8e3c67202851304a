"""What an epoch's predictions show beside their scores."""

from __future__ import annotations

import pytest
import torch

from ftcli.engine.signals import signals_of
from ftcli.events import EpochDone, Scores
from ftcli.plans.signals import StageDrift


def test_the_class_that_is_predicted_most_and_its_share():
    logits = torch.tensor([[0.0, 1.0], [0.0, 2.0], [3.0, 0.0], [0.0, 1.0]])
    found = signals_of(logits, torch.tensor([0, 1, 0, 1]), ())
    assert (found.top_class, found.top_share) == (1, 0.75)


def test_the_error_is_that_of_the_mean_loss():
    logits, labels = torch.randn(50, 4, generator=torch.Generator().manual_seed(0)), torch.arange(50) % 4
    losses = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    assert signals_of(logits, labels, ()).loss_error == pytest.approx(losses.std().item() / 50**0.5)


def test_a_network_that_answers_all_alike_has_no_spread():
    same = torch.tensor([[1.0, -2.0]]).repeat(5, 1)
    assert signals_of(same, torch.zeros(5, dtype=torch.long), ()).logit_spread == 0
    apart = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    assert signals_of(apart, torch.tensor([0, 1]), ()).logit_spread == 1


def test_labels_of_several_classes_have_no_class_that_is_predicted_most():
    found = signals_of(torch.zeros(3, 2), torch.tensor([[1.0, 0], [0, 1.0], [1.0, 1.0]]), ())
    assert (found.top_class, found.top_share) == (None, None)
    assert found.loss_error == pytest.approx(0)


def test_one_example_has_no_error():
    assert signals_of(torch.zeros(1, 2), torch.tensor([1]), ()).loss_error == 0


def test_an_epoch_is_read_back_from_its_line():
    found = signals_of(torch.eye(3), torch.arange(3), (StageDrift("head", 0.5, None, 0.25),))
    row = EpochDone(0, 1, "full", 1e-3, 1e-4, 1.0, Scores(1, 1, 0.1, 3), 1.0, 1.0, True, found)
    assert EpochDone.from_dict(row.to_dict()) == row
    old = row.to_dict()
    del old["signals"]
    assert EpochDone.from_dict(old).signals is None
