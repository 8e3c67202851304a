"""Range tests of whole recipes on real digits."""

from __future__ import annotations

import pytest
import torch

from ftcli.engine.feed import feed_of
from ftcli.engine.fit import fit
from ftcli.engine.lr_range import sweep
from ftcli.engine.optimize import build_optimizer, moments
from ftcli.engine.progress import Progress
from ftcli.engine.proof import digests
from ftcli.errors import UsageError
from ftcli.events import Event, PhaseStarted, StepDone, Working
from ftcli.plans.lr_sweep import rates_of_groups, sweep_lrs
from ftcli.workflows.lr_find import LrFound, _work_of, lr_find, values_to_write
from tests.numerics.runs import run, same_bits
from tests.text_toys import some_texts, text_recipe, write_encoder, write_table
from tests.toys import ignore, recipe, recorder

LP_FT = {"kind": "lp_ft", "head_epochs": 1}
"""60 training images in batches of 8: eight steps an epoch, so that a sweep goes on over several."""


def found(made, **more) -> LrFound:  # type: ignore[no-untyped-def]
    asked = {"phase": None, "per_stage": False, "steps": 40, "listener": ignore, **more}
    return lr_find(made, **asked)


@pytest.mark.parametrize("augment", ["none", "light"])
def test_a_phase_is_tested_on_the_weights_that_it_starts_with(augment, digits, tmp_path):
    """The first loss of the test is, in every bit, that of the first step of the phase in a training."""
    made = recipe(digits, strategy=LP_FT, augment=augment, train={"epochs": 2, "batch_size": 8})
    events, listen = recorder()
    run(made, tmp_path / "run", listen)
    begun = [place for place, event in enumerate(events) if isinstance(event, PhaseStarted)]
    first = [next(e.loss for e in events[place:] if isinstance(e, StepDone)) for place in begun]
    assert [s.losses[0] for s in found(made, steps=10).sweeps] == first
    (alone,) = found(made, steps=10, phase="fine-tune").sweeps
    assert alone.losses[0] == first[1]


def test_nothing_is_left_behind(digits):
    """Weights, buffers, gradients, the optimizer's moments and random numbers, after a sweep that diverges."""
    work, _ = _work_of(recipe(digits, strategy=LP_FT, train={"epochs": 2, "batch_size": 8}), ignore, None)
    phase = work.plan.phases[1]
    optimizer = build_optimizer(work.network.model, phase, work.plan.optimizer)
    work.remembered = moments(optimizer)
    feed = feed_of(work, phase)

    def everything() -> list[object]:
        model = work.network.model
        names = [name for name, _ in [*model.named_parameters(), *model.named_buffers()]]
        flags = [(p.requires_grad, p.grad is None) for p in model.parameters()]
        modes = [module.training for module in model.modules()]
        return [digests(model, names), flags, modes, work.remembered, torch.get_rng_state().tolist()]

    before = everything()
    rates = [rates_of_groups(phase, 1e-3, lr, None) for lr in sweep_lrs(30, 1e-3, 1e4)]
    losses = sweep(work, phase, feed, 0, rates, lambda done: None)
    assert len(losses) > 8
    assert everything() == before
    assert repr(sweep(work, phase, feed, 0, rates, lambda done: None)) == repr(losses)


def test_a_run_after_it_has_the_same_bits(digits):
    def losses(tested: bool) -> list[float]:
        work, _ = _work_of(
            recipe(digits, strategy="full", train={"epochs": 1, "batch_size": 8}), ignore, None
        )
        if tested:
            phase = work.plan.phases[0]
            rates = [rates_of_groups(phase, 1e-3, lr, None) for lr in sweep_lrs(20)]
            sweep(work, phase, feed_of(work, phase), 0, rates, lambda done: None)
        events, work.tell = recorder()
        fit(work, Progress())
        return [event.loss for event in events if isinstance(event, StepDone)]

    assert losses(tested=True) == losses(tested=False)


@pytest.fixture(scope="module")
def staged(digits) -> LrFound:
    return found(
        recipe(digits, strategy="full", train={"epochs": 1, "batch_size": 8}), per_stage=True, steps=10
    )


def test_stages_one_at_a_time(staged):
    whole, *stages = staged.sweeps
    assert whole.stage is None
    assert whole.planned == staged.plan.optimizer.lr
    trained = dict.fromkeys(group.stage for group in staged.plan.phases[0].groups)
    assert [s.stage for s in stages] == list(trained)
    assert all(s.losses[0] == whole.losses[0] for s in stages)
    for each in stages:
        assert each.reference is not None
        assert len(each.reference) <= len(each.losses)
        # At 1e-7 a stage stands still as far as anyone can tell, and the others do the same in both.
        assert each.losses[1] == pytest.approx(each.reference[1], rel=1e-3)


def test_a_planned_lr_that_explodes_is_told_and_a_calm_one_is_written(digits):
    made = recipe(digits, strategy="full", layer_lr="uniform", optimizer={"kind": "sgd", "lr": 10.0})
    result = found(made, steps=60)
    (finding,) = result.findings
    assert finding.rule == "lr-near-divergence"
    assert finding.where == "full, optimizer.lr"
    edge = result.sweeps[0].diverges_at
    assert edge is not None
    assert float(values_to_write(result)["optimizer.lr"]) <= edge / 9


def test_what_is_written(staged, digits):
    values = values_to_write(staged)
    stages = [s.stage for s in staged.sweeps[1:]]
    assert [part.split(":")[0] for part in values["layer_lr"].split("{")[2].rstrip("}").split(", ")] == stages


def test_no_such_phase(digits):
    with pytest.raises(UsageError) as error:
        found(recipe(digits, strategy=LP_FT), phase="tail")
    assert error.value.remedy == "there are: head, fine-tune"


def test_each_pass_says_how_many_there_are(digits):
    """A stage takes two: with it, and without."""
    events: list[Event] = []
    made = recipe(digits, strategy="full", train={"epochs": 1, "batch_size": 8})
    lr_find(made, phase=None, per_stage=True, steps=10, listener=events.append)
    told = list(dict.fromkeys(event.what for event in events if isinstance(event, Working)))
    passes = [what for what in told if " of " in what]
    assert passes[0] == f"full, all stages (1 of {len(passes)})"
    assert passes[-1].endswith(f"({len(passes)} of {len(passes)})")
    assert len(passes) % 2 == 1


def test_a_phase_that_is_not_there_is_told_before_images_are_read(digits):
    events: list[Event] = []
    made = recipe(digits, strategy="full")
    with pytest.raises(UsageError, match="there is no phase 'tail'"):
        lr_find(made, phase="tail", per_stage=False, steps=10, listener=events.append)
    assert not [event for event in events if isinstance(event, Working)]


def test_adapters_are_tried_too(tmp_path):
    """Of LoRA: the adapters of each layer and the head. The run after it has the bits of one without it."""
    pytest.importorskip("peft")
    write_encoder(tmp_path / "encoder")
    write_table(tmp_path / "texts.jsonl", some_texts(60))
    made = text_recipe(tmp_path, strategy={"kind": "lora", "rank": 2}, train={"epochs": 1, "batch_size": 8})
    run(made, tmp_path / "before")
    sweeps = found(made, steps=12, per_stage=True).sweeps
    assert {sweep.stage for sweep in sweeps} == {None, "layer.0", "layer.1", "pooler", "head"}
    assert all(len(sweep.losses) > 2 for sweep in sweeps)
    run(made, tmp_path / "after")
    assert same_bits(tmp_path / "before", tmp_path / "after")
