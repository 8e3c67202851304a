"""The losses of multi-label data, against torch's and torchvision's."""

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits
from torchvision.ops import sigmoid_focal_loss

from ftcli.components.objective import CrossEntropy, Focal, MultiLabelObjective, Objective, build, spec

CLASSES = ("cat", "dog", "fish")
_GENERATOR = torch.Generator().manual_seed(0)
LOGITS = torch.randn(9, 3, generator=_GENERATOR, dtype=torch.float64)
TARGETS = (torch.rand(9, 3, generator=_GENERATOR) < 0.4).float()
WEIGHTS = (0.5, 3.0, 1.25)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_it_is_torch_s(weights):
    of_class = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    expected = binary_cross_entropy_with_logits(LOGITS, TARGETS.double(), pos_weight=of_class)
    torch.testing.assert_close(MultiLabelObjective(0.0, weights)(LOGITS, TARGETS), expected)


def test_smoothing_takes_targets_towards_a_half():
    expected = binary_cross_entropy_with_logits(LOGITS, 0.8 * TARGETS.double() + 0.1)
    torch.testing.assert_close(MultiLabelObjective(0.0, None, 0.2)(LOGITS, TARGETS), expected)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_is_torchvision_s(gamma):
    expected = sigmoid_focal_loss(LOGITS, TARGETS.double(), alpha=-1, gamma=gamma, reduction="mean")
    torch.testing.assert_close(MultiLabelObjective(gamma, None)(LOGITS, TARGETS), expected)


def test_focal_without_focus_is_cross_entropy():
    almost, plain = MultiLabelObjective(1e-12, WEIGHTS, 0.1), MultiLabelObjective(0.0, WEIGHTS, 0.1)
    torch.testing.assert_close(almost(LOGITS, TARGETS), plain(LOGITS, TARGETS))


@pytest.mark.parametrize("logit", [-200.0, 200.0])
def test_focal_has_a_finite_slope_where_the_network_is_certain(logit):
    logits = torch.full((2, 3), logit, requires_grad=True)
    MultiLabelObjective(0.5, WEIGHTS)(logits, TARGETS[:2]).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_batches_add_up_to_the_whole():
    made = MultiLabelObjective(2.0, WEIGHTS)
    parts = [(LOGITS[:5], TARGETS[:5]), (LOGITS[5:], TARGETS[5:])]
    total = sum(made.weight(targets) for _, targets in parts)
    added = sum(made(logits, targets) * made.weight(targets) / total for logits, targets in parts)
    torch.testing.assert_close(added, made(LOGITS, TARGETS))


def test_balanced_weighs_those_with_a_class_as_much_as_those_without():
    made = spec(
        CrossEntropy(kind="cross_entropy", class_weights="balanced"),
        CLASSES,
        (10, 50, 25),
        100,
        multi_label=True,
    )
    assert made.class_weights == (9.0, 1.0, 3.0)


def test_the_plan_s_objective_becomes_the_loss():
    focal = Focal(kind="focal", class_weights={"dog": 2.0})
    assert build(spec(focal, CLASSES, None, multi_label=True), 0.1) == MultiLabelObjective(
        2.0, (1, 2, 1), 0.1
    )
    assert build(spec(focal, CLASSES, None), 0.1) == Objective(2.0, (1, 2, 1), 0.1)
