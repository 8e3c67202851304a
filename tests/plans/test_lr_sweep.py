"""Suggestions from made curves, where the right answer is known."""

from __future__ import annotations

import math

import pytest

from ftcli.plans.lr_sweep import LrSweep, calm_base_lr, diverged, smoothed, sweep_lrs

LRS = sweep_lrs(100)


def curve(fall_at: float = 1e-3, explodes_at: float = 0.1) -> list[float]:
    """Starts at 2, falls to 0.5 around one LR, explodes from another on; ended where a test would end."""
    losses = [2.0]
    for lr in LRS:
        fallen = 2.0 - 1.5 / (1 + (fall_at / lr) ** 2)
        losses.append(fallen + (lr / explodes_at) ** 4)
        if diverged(losses):
            break
    return losses


def sweep(losses: list[float], planned: float = 1e-3, **more: object) -> LrSweep:
    return LrSweep("full", more.pop("stage", None), planned, LRS, tuple(losses), **more)  # type: ignore[arg-type]


def test_lrs_grow_by_one_factor() -> None:
    lrs = sweep_lrs(9, 1e-7, 10)
    assert lrs == pytest.approx([10.0**d for d in range(-7, 2)])


def test_suggestions_of_a_known_curve() -> None:
    found = sweep(curve()).suggestion
    assert found is not None
    assert 4e-4 < found.steepest < 3e-3
    assert 1e-3 < found.minimum_tenth * 10 < 0.05
    assert 1e-5 < found.valley < found.minimum_tenth * 10


@pytest.mark.parametrize("explodes_at", [1e-3, 1e-1, 1.0])
def test_it_diverges_just_above_the_edge(explodes_at: float) -> None:
    losses = curve(explodes_at / 50, explodes_at)
    at = sweep(losses).diverges_at
    assert at is not None
    assert 1 < at / explodes_at < 3
    assert at == LRS[len(losses) - 2]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_the_edge(bad: float) -> None:
    found = sweep([2.0, 1.5, 1.0, 0.9, bad])
    assert found.diverges_at == LRS[3]
    assert found.suggestion is not None
    assert found.suggestion.minimum_tenth == LRS[2] / 10


def test_a_loss_that_never_falls_suggests_nothing() -> None:
    flat = sweep([2.0 + 0.01 * math.sin(step) for step in range(101)])
    assert flat.suggestion is None
    assert flat.diverges_at is None
    assert sweep([2.0, math.nan]).suggestion is None


def test_noise_on_the_way_down_does_not_end_the_valley() -> None:
    bumpy = [loss + 0.03 * math.sin(9 * step) for step, loss in enumerate(curve())]
    smooth, rough = sweep(curve()).suggestion, sweep(bumpy).suggestion
    assert smooth is not None
    assert rough is not None
    assert 0.2 < rough.valley / smooth.valley < 5


def test_of_a_stage_only_what_it_adds_counts() -> None:
    """The others bring the loss down from the first step on; the stage does so around 1e-3."""
    others = [1.0 + 2.0 * 0.9**step for step in range(101)]
    together = [rest - 0.4 / (1 + (1e-3 / lr) ** 2) for rest, lr in zip(others[1:], LRS, strict=True)][:60]
    alone = sweep([3.0, *together])
    relative = sweep([3.0, *together], stage="layer1", reference=tuple(others))
    assert alone.suggestion is not None
    assert relative.suggestion is not None
    assert alone.suggestion.steepest < 1e-5
    assert 1e-4 < relative.suggestion.steepest < 5e-3
    unmoved = sweep(others, stage="layer1", reference=tuple(others))
    assert unmoved.suggestion is None


def test_a_stage_is_lost_where_the_loss_leaves_the_others_for_good() -> None:
    """A network whose loss saturates: it never grows to several times its best."""
    others = (2.1,) * 101
    saturates = [2.1 + 2.8 / (1 + (0.03 / lr) ** 4) for lr in LRS]
    found = sweep([2.1, *saturates], stage="layer4", reference=others)
    assert not diverged(found.losses)
    assert found.diverges_at is not None
    assert 0.01 < found.diverges_at < 0.1
    comes_back = [2.1 + (2.8 if 1e-3 < lr < 1e-2 else 0.0) for lr in LRS]
    assert sweep([2.1, *comes_back], stage="layer4", reference=others).diverges_at is None
    assert sweep([2.1, *saturates]).diverges_at is None


def test_where_the_others_diverge_nothing_is_said() -> None:
    lost = (2.0, 1.0, 50.0)
    found = sweep([2.0, 1.0, 60.0], stage="layer1", reference=lost)
    assert found.inconclusive
    assert found.diverges_at is None
    assert found.suggestion is None


def test_smoothing_is_not_biased_towards_zero() -> None:
    assert smoothed([3.0] * 5) == pytest.approx([3.0] * 5)
    assert smoothed([1.0, 2.0]) == pytest.approx([1.0, (0.8 * 0.2 * 1 + 0.2 * 2) / 0.36])


def test_a_plan_over_the_edge_is_calmed_for_the_stages() -> None:
    assert calm_base_lr(sweep(curve(), planned=1e-3)) == 1e-3
    over = sweep(curve(), planned=0.5)
    assert over.diverges_at is not None
    assert calm_base_lr(over) <= over.diverges_at / 10


def test_what_differs_from_batch_to_batch_is_no_suggestion() -> None:
    """The stage's curve dips as the others' own losses do."""
    noisy = tuple(5.0 + 2.0 * (-1) ** step for step in range(101))
    dip = [rest - (1.0 if 40 <= step < 60 else 0.0) for step, rest in enumerate(noisy)]
    calm = tuple(5.0 for _ in noisy)
    calm_dip = [rest - (1.0 if 40 <= step < 60 else 0.0) for step, rest in enumerate(calm)]
    assert sweep(dip, stage="layer1", reference=noisy).suggestion is None
    assert sweep(calm_dip, stage="layer1", reference=calm).suggestion is not None


def test_a_stage_is_warned_of_only_where_it_diverges() -> None:
    others = (2.0,) * 101
    losses = tuple(curve())
    stage = sweep(list(losses), stage="layer1", reference=others)
    assert stage.suggestion is not None
    assert stage.diverges_at is not None
    assert stage.limit == stage.diverges_at / 2
