"""The curves equal those of torch's schedulers, which are the reference."""

import pytest
import torch
from torch.optim import lr_scheduler

from ftcli.plans.lr_curve import LrCurve


def torch_lrs(make, count):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimizer)
    lrs = []
    for _ in range(count):
        lrs.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return lrs


def test_linear_warmup_then_cosine_per_epoch():
    def make(optimizer):
        warmup = lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=3)
        cosine = lr_scheduler.CosineAnnealingLR(optimizer, T_max=27)
        return lr_scheduler.SequentialLR(optimizer, [warmup, cosine], milestones=[3])

    curve = LrCurve("cosine", epochs=30, warmup=3, warmup_factor=0.1, per_epoch=True)
    assert [curve.factor(e) for e in range(30)] == pytest.approx(torch_lrs(make, 30), abs=1e-9)
    assert curve.factor(4.9) == curve.factor(4)


def test_step():
    curve = LrCurve("step", epochs=30, milestones=(10, 20), gamma=0.1)
    reference = torch_lrs(lambda o: lr_scheduler.MultiStepLR(o, [10, 20], gamma=0.1), 30)
    assert [curve.factor(e) for e in range(30)] == pytest.approx(reference)


def test_one_cycle():
    steps = 1000
    curve = LrCurve("one_cycle", epochs=steps - 1, final_factor=4e-6, initial_factor=0.04)
    reference = torch_lrs(lambda o: lr_scheduler.OneCycleLR(o, max_lr=1.0, total_steps=steps), steps - 1)
    # torch peaks one step before 0.3 of the way.
    assert [curve.factor(s) for s in range(steps - 1)] == pytest.approx(reference, abs=0.003)
    assert max(curve.factor(s) for s in range(steps)) == pytest.approx(1.0, abs=1e-3)
    assert curve.factor(0) == pytest.approx(0.04)
    assert curve.factor(steps) == pytest.approx(4e-6)


def test_linear_and_constant():
    linear = LrCurve("linear", epochs=10, final_factor=0.5)
    assert [linear.factor(e) for e in (0, 5, 10)] == [1.0, 0.75, 0.5]
    constant = LrCurve("constant", epochs=10, warmup=2, warmup_factor=0.5)
    assert [constant.factor(e) for e in (0, 1, 2, 9)] == [0.5, 0.75, 1.0, 1.0]


def test_a_warmup_that_does_not_fit():
    with pytest.raises(ValueError, match="warm-up of 3 epochs does not fit into 2"):
        LrCurve("cosine", epochs=2, warmup=3)
