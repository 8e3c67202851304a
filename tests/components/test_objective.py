"""Cross-entropy and focal loss, against torch and against their formulas."""

import pytest
import torch
from torch.nn.functional import cross_entropy, one_hot

from ftcli.components.objective import CrossEntropy, Focal, Objective, balanced_weights, build, spec
from ftcli.plans.training_plan import ObjectiveSpec

CLASSES = ("cat", "dog", "fish")
LOGITS = torch.randn(7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LABELS = torch.tensor([0, 0, 1, 2, 2, 2, 2])
WEIGHTS = (0.5, 3.0, 1.25)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_without_weights_it_is_torch_s_bit_for_bit(smoothing):
    expected = cross_entropy(LOGITS, LABELS, label_smoothing=smoothing)
    assert torch.equal(Objective(0.0, None, smoothing)(LOGITS, LABELS), expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_with_weights_it_is_torch_s(smoothing):
    of_class = torch.tensor(WEIGHTS, dtype=torch.float64)
    expected = cross_entropy(LOGITS, LABELS, of_class, label_smoothing=smoothing)
    torch.testing.assert_close(Objective(0.0, WEIGHTS, smoothing)(LOGITS, LABELS), expected)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_shares_that_are_all_of_one_class_are_that_label(gamma, weights, smoothing):
    made = Objective(gamma, weights, smoothing)
    shares = one_hot(LABELS, 3).float()
    torch.testing.assert_close(made(LOGITS, shares), made(LOGITS, LABELS))
    assert made.weight(shares) == pytest.approx(made.weight(LABELS))


def test_focal_by_hand():
    p = LOGITS.softmax(1)[torch.arange(7), LABELS]
    expected = (-((1 - p) ** 2) * p.log()).mean()
    torch.testing.assert_close(Objective(2.0, None)(LOGITS, LABELS), expected)


def test_focal_without_focus_is_cross_entropy():
    almost, plain = Objective(1e-12, WEIGHTS, 0.1), Objective(0.0, WEIGHTS, 0.1)
    torch.testing.assert_close(almost(LOGITS, LABELS), plain(LOGITS, LABELS))


def test_focal_has_a_slope_where_the_network_is_certain():
    logits = torch.tensor([[200.0, 0.0]], requires_grad=True)
    Objective(0.5, None)(logits, torch.tensor([0])).backward()
    assert torch.isfinite(logits.grad).all()


def test_the_weight_of_a_batch():
    assert Objective(0.0, None).weight(LABELS) == 7
    assert Objective(2.0, WEIGHTS).weight(LABELS) == pytest.approx(0.5 * 2 + 3 + 1.25 * 4)


def test_balanced_classes_weigh_the_same_in_all():
    counts = (90, 9, 1)
    weights = balanced_weights(counts)
    assert [w * c for w, c in zip(weights, counts, strict=True)] == pytest.approx([100 / 3] * 3)
    assert spec(CrossEntropy(class_weights="balanced"), CLASSES, counts).class_weights == weights
    assert balanced_weights((4, 0)) == (0.5, 0.0)


def test_given_weights_are_in_the_order_of_the_classes():
    given = CrossEntropy(class_weights={"fish": 4.0, "cat": 2.0})
    assert spec(given, CLASSES, None) == ObjectiveSpec("cross_entropy", "given", (2.0, 1.0, 4.0))


def test_a_spec_becomes_its_loss():
    assert build(spec(Focal(kind="focal", gamma=1.5), CLASSES, None), 0.1) == Objective(1.5, None, 0.1)
    with pytest.raises(ValueError, match="without the number of examples"):
        build(spec(CrossEntropy(class_weights="balanced"), CLASSES, None), 0.0)
