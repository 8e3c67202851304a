import pytest
import torch
from torch import nn

from ftcli.engine.batches import Batch
from ftcli.engine.precision import loss_scaler
from ftcli.engine.step import Stepper
from ftcli.errors import NonFiniteError


def stepper(model, clip_norm=None, label_smoothing=0.0, lr=1.0):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    return Stepper(model, optimizer, loss_scaler("fp32", "cpu"), "cpu", "fp32", label_smoothing, clip_norm)


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
