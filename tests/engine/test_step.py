import pytest
import torch
from torch import nn

from ftcli.components.objective import Objective
from ftcli.engine.batches import Batch
from ftcli.engine.precision import loss_scaler
from ftcli.engine.step import Stepper
from ftcli.errors import NonFiniteError


def stepper(model, clip_norm=None, label_smoothing=0.0, lr=1.0, gamma=0.0, weights=None, precision="fp32"):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    loss = Objective(gamma, weights, label_smoothing)
    return Stepper(model, optimizer, loss_scaler(precision, "cpu"), "cpu", precision, loss, clip_norm)


def batch(inputs, labels):
    return Batch(torch.tensor(inputs), torch.tensor(labels), tuple(range(len(labels))))


def test_the_worked_head_of_a_bert():
    # h = [.3 -.1 .5 .2], logits .10 .04, softmax .5150 .4850, cross-entropy .664 for class 0.
    model = nn.Linear(4, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.4, 0.1, -0.3, 0.2], [-0.2, 0.3, 0.5, -0.1]]))
        model.bias.copy_(torch.tensor([0.1, -0.1]))
    hidden = [[0.3, -0.1, 0.5, 0.2]]
    logits = model(torch.tensor(hidden))[0]
    assert logits.tolist() == pytest.approx([0.10, 0.04], abs=5e-3)
    assert logits.softmax(0).tolist() == pytest.approx([0.5150, 0.4850], abs=1e-3)
    assert stepper(model).step([batch(hidden, [0])]) == pytest.approx(0.664, abs=1e-3)


def test_batches_of_unequal_size_weigh_by_their_examples():
    torch.manual_seed(0)
    inputs, labels = torch.randn(7, 3).tolist(), [0, 1, 0, 1, 1, 0, 1]
    one, parts = nn.Linear(3, 2), nn.Linear(3, 2)
    parts.load_state_dict(one.state_dict())
    whole = stepper(one).step([batch(inputs, labels)])
    split = stepper(parts).step([batch(inputs[:5], labels[:5]), batch(inputs[5:], labels[5:])])
    assert whole == pytest.approx(split)
    torch.testing.assert_close(one.weight, parts.weight)


def test_the_gradient_is_clipped_to_its_norm():
    model = nn.Linear(3, 2, bias=False)
    with torch.no_grad():
        model.weight.zero_()
    stepper(model, clip_norm=0.01).step([batch([[100.0, 0.0, 0.0]], [0])])
    assert model.weight.norm().item() == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_weight_moves_on_a_loss_that_is_no_number(value):
    model = nn.Linear(2, 2)
    before = model.weight.clone()
    with pytest.raises(NonFiniteError) as caught:
        stepper(model).step([batch([[value, 0.0]], [0])])
    assert caught.value.exit_code == 20
    assert "lower optimizer.lr" in (caught.value.remedy or "")
    assert torch.equal(before, model.weight)


def test_label_smoothing_is_torch_s():
    torch.manual_seed(0)
    model, inputs, labels = nn.Linear(3, 4), torch.randn(5, 3), torch.tensor([0, 1, 2, 3, 0])
    expected = nn.functional.cross_entropy(model(inputs), labels, label_smoothing=0.3).item()
    plain = nn.functional.cross_entropy(model(inputs), labels).item()
    loss = stepper(model, label_smoothing=0.3).step([Batch(inputs, labels, tuple(range(5)))])
    assert loss == pytest.approx(expected)
    assert loss != pytest.approx(plain)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("gamma", [0.0, 2.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_weighted_batches_act_as_if_they_were_one(gamma, smoothing, soft):
    """The batches weigh 0.3 and 20 together: a mean of means would be far off."""
    torch.manual_seed(0)
    inputs, labels = torch.randn(8, 3), torch.tensor([0, 0, 0, 1, 2, 2, 2, 2])
    if soft:
        labels = 0.8 * nn.functional.one_hot(labels, 3) + 0.2 * nn.functional.one_hot(labels.roll(1), 3)
    options = {"gamma": gamma, "label_smoothing": smoothing, "weights": (0.05, 0.15, 5.0)}
    one, parts = nn.Linear(3, 3), nn.Linear(3, 3)
    parts.load_state_dict(one.state_dict())
    whole = stepper(one, **options).step([Batch(inputs, labels, tuple(range(8)))])
    halves = [Batch(inputs[at], labels[at], tuple(range(4))) for at in (slice(0, 4), slice(4, 8))]
    assert stepper(parts, **options).step(halves) == pytest.approx(whole, rel=1e-6)
    torch.testing.assert_close(one.weight, parts.weight, rtol=1e-5, atol=1e-7)
    means = [Objective(gamma, options["weights"], smoothing)(one(b.inputs), b.labels).item() for b in halves]
    assert abs(means[0] - means[1]) > 0.1, "the halves must differ for this to say anything"


def test_a_batch_in_which_nothing_counts_adds_nothing():
    torch.manual_seed(0)
    inputs, labels, weights = torch.randn(4, 3), torch.tensor([0, 0, 1, 1]), (0.0, 1.0)
    alone, both = nn.Linear(3, 2), nn.Linear(3, 2)
    both.load_state_dict(alone.state_dict())
    counted = Batch(inputs[2:], labels[2:], (2, 3))
    expected = stepper(alone, weights=weights).step([counted])
    nothing = Batch(inputs[:2], labels[:2], (0, 1))
    assert stepper(both, weights=weights).step([nothing, counted]) == expected
    assert torch.equal(alone.weight, both.weight)


FOUR = torch.tensor([0, 1, 0, 1])


def fp16_steps(before=lambda stepper: None):
    """A model after a step in fp16, to which something has happened `before`; and its stepper."""
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    made = stepper(model, precision="fp16")
    before(made)
    made.step([Batch(torch.randn(4, 3, generator=torch.Generator().manual_seed(1)), FOUR, (0, 1, 2, 3))])
    return model, made


def test_fp16_goes_on_after_a_loss_that_is_no_number():
    """As after a rollback: the step and the scale are those of a run that nothing befell."""

    def befall(made):
        with pytest.raises(NonFiniteError, match="the loss is nan"):
            made.step([batch([[float("nan"), 0.0, 0.0]], [0])])

    (calm, _), (befallen, made) = fp16_steps(), fp16_steps(befall)
    assert torch.equal(befallen.weight, calm.weight)
    assert made.scaler.state_dict() == {**loss_scaler("fp16", "cpu").state_dict(), "_growth_tracker": 1}


def test_fp16_goes_on_where_memory_ends_after_the_gradients_are_unscaled(monkeypatch):
    own, refused = nn.utils.get_total_norm, []

    def full_once(*args, **kwargs):
        if not refused:
            refused.append(True)
            raise torch.OutOfMemoryError("CUDA out of memory")
        return own(*args, **kwargs)

    calm, _ = fp16_steps()
    monkeypatch.setattr(nn.utils, "get_total_norm", full_once)
    befallen, made = fp16_steps()
    assert refused
    assert made.micro.size == 2
    torch.testing.assert_close(befallen.weight, calm.weight, rtol=1e-3, atol=1e-3)
