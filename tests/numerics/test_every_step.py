"""A run that is cut off after any step goes on from there with the same bits."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler

from ftcli.engine.batches import ImageBatches
from ftcli.engine.cadence import Cadence
from ftcli.engine.fit import fit
from ftcli.engine.optimize import Moments
from ftcli.engine.progress import Progress
from ftcli.engine.work import Work
from ftcli.workflows.decoded import image_batches
from ftcli.workflows.prepare import Prepared, prepare
from tests.toys import ignore, recipe

FaultCount = Callable[[int, int], None]
CLOCK = ("seconds", "images_per_second")
STREAMED = {"device": "cpu", "image_memory_gb": 0}
CASES: dict[str, dict[str, Any]] = {
    "cached features": {
        "strategy": "feature_extraction",
        "augment": "light",
        "train": {"epochs": 2, "batch_size": 14},
    },
    "varied features, drawn": {
        "strategy": "feature_extraction",
        "augment": {"kind": "features", "strength": 0.5},
        "train": {"epochs": 2, "batch_size": 14, "sampler": "balanced"},
    },
    "mirrored, drawn": {
        "strategy": "feature_extraction",
        "augment": "flip",
        "train": {"epochs": 3, "batch_size": 14, "sampler": "balanced"},
    },
    "accumulation, mixed and drawn": {
        "augment": {"kind": "strong", "mix": "mixup"},
        "train": {"epochs": 2, "batch_size": 7, "accumulation": 3, "sampler": "balanced"},
    },
    "plateau, early stopping": {
        "strategy": {"kind": "gradual", "on": "plateau", "patience": 1, "to_stage": "layer4"},
        "train": {"epochs": 4, "batch_size": 14, "early_stopping": {"patience": 1, "min_delta": 1.0}},
    },
    "dropout, sgd": {
        "model": {
            "backbone": "timm/test_resnet",
            "weights": "none",
            "head": {"kind": "mlp", "hidden": [16], "dropout": 0.5},
        },
        "optimizer": {"kind": "sgd"},
        "train": {"epochs": 2, "batch_size": 14},
    },
}
SLOW: dict[str, dict[str, Any]] = {
    "40 steps, cached features": {
        "strategy": "feature_extraction",
        "augment": "light",
        "train": {"epochs": 5, "batch_size": 7},
    },
    "40 steps": {
        "strategy": {"kind": "gradual", "to_stage": "layer3"},
        "augment": {"kind": "strong", "mix": "cutmix"},
        "train": {"epochs": 5, "batch_size": 7},
    },
    "40 steps, no worker": {
        "augment": "standard",
        "train": {"epochs": 5, "batch_size": 7},
        "runtime": {**STREAMED, "workers": 0},
    },
    "40 steps, two workers": {
        "augment": {"kind": "strong", "mix": "mixup"},
        "train": {"epochs": 5, "batch_size": 7},
        "runtime": {**STREAMED, "workers": 2},
    },
}


@dataclass
class State:
    """What a keeper was given, copied; progress as the text that a file would hold."""

    progress: str
    model: dict[str, Tensor]
    remembered: Moments


@dataclass
class EveryState:
    """A keeper that keeps all of them."""

    states: list[State] = field(default_factory=list)

    def save(self, progress: Progress, model: nn.Module, remembered: Moments, *, best: bool) -> None:
        state = State(json.dumps(progress.to_dict()), dict(model.state_dict()), remembered)
        self.states.append(copy.deepcopy(state))


@dataclass(frozen=True)
class Run:
    """All that a run needs; its network is put back before each performance."""

    prepared: Prepared
    batches: ImageBatches
    start: dict[str, Tensor]

    def performed(self, state: State | None = None, every_steps: int | None = None) -> list[State]:
        """From the start or a state to the end; what was kept on the way, the state after the last epoch last."""
        keeper = EveryState()
        network, plan = self.prepared.network, self.prepared.plan
        network.model.load_state_dict(self.start if state is None else state.model)
        work = Work(plan, network, self.batches, self.prepared.augment, ignore, keeper)
        work.cadence = Cadence(every_steps)
        progress = Progress()
        if state is not None:
            progress, work.remembered = Progress.from_dict(json.loads(state.progress)), state.remembered
        fit(work, progress)
        assert progress.finished
        assert not any(proof.changed for proof in progress.proofs)
        keeper.save(progress, network.model, work.remembered, best=False)
        return keeper.states


def made(digits: Any, **sections: Any) -> Run:
    toy = recipe(digits, **sections)
    prepared = prepare(toy)
    batches = image_batches(toy, prepared, lambda done, total: None)
    return Run(prepared, batches, copy.deepcopy(dict(prepared.network.model.state_dict())))


def told(state: State) -> dict[str, Any]:
    """The progress without what a clock says."""
    progress: dict[str, Any] = json.loads(state.progress)
    progress["rows"] = [{k: v for k, v in row.items() if k not in CLOCK} for row in progress["rows"]]
    return progress


def same(one: State, other: State) -> bool:
    names = one.remembered.keys() == other.remembered.keys()
    return (
        told(one) == told(other)
        and names
        and all(torch.equal(tensor, other.model[name]) for name, tensor in one.model.items())
        and all(
            torch.equal(tensor, other.remembered[name][key])
            for name, kept in one.remembered.items()
            for key, tensor in kept.items()
        )
    )


def cut_everywhere(run: Run, steps: int) -> None:
    """After each of so many steps, and at the end of each epoch."""
    states = run.performed(every_steps=1)
    whole = run.performed()[-1]
    assert same(states[-1], whole), "keeping the state changes nothing"
    assert len(states) - 1 - len(told(whole)["rows"]) == steps
    for number, state in enumerate(states[:-1]):
        assert same(run.performed(state)[-1], whole), f"cut off after state {number}: {told(state)['so_far']}"


def steps_of(run: Run) -> int:
    """Of a run to its last epoch, however early that was."""
    rows = told(run.performed()[-1])["rows"]
    return len(rows) * run.prepared.plan.steps_per_epoch


@pytest.mark.fault(2)
@pytest.mark.parametrize("case", CASES)
def test_cut_after_every_step(case: str, digits: Any, fault_count: FaultCount) -> None:
    run = made(digits, **CASES[case])
    steps = steps_of(run)
    cut_everywhere(run, steps)
    fault_count(steps, steps)


@pytest.mark.fault(2)
@pytest.mark.slow
@pytest.mark.parametrize("case", SLOW)
def test_cut_after_every_one_of_40_steps(case: str, digits: Any, fault_count: FaultCount) -> None:
    cut_everywhere(made(digits, **SLOW[case]), 40)
    fault_count(40, 40)


def test_cut_in_an_epoch_with_two_workers(digits: Any) -> None:
    sections = {**CASES["accumulation, mixed and drawn"], "runtime": {**STREAMED, "workers": 2}}
    run = made(digits, **sections)
    states = run.performed(every_steps=2)
    assert told(states[0])["so_far"]["step"] == 2
    assert same(run.performed(states[0])[-1], states[-1])


def test_what_was_taken_is_not_loaded_again(digits: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made(digits, augment="light", train={"epochs": 1, "batch_size": 14})
    states = run.performed(every_steps=3)
    loaded: list[int] = []
    store, read = type(run.batches.store), type(run.batches.store).__getitem__
    monkeypatch.setattr(store, "__getitem__", lambda self, index: loaded.append(index) or read(self, index))
    run.performed(states[0])
    splits = run.prepared.splits.streams
    assert len(set(loaded) & set(splits["train"])) == len(splits["train"]) - 3 * 14
    assert set(splits["val"]) <= set(loaded)


def test_the_loss_scaler_goes_on_where_it_was(digits: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scale that is no power of two decides the last bits of every gradient."""
    monkeypatch.setattr(
        "ftcli.engine.fit.loss_scaler",
        lambda precision, device: GradScaler(device, init_scale=3.0, growth_factor=1.7, growth_interval=3),
    )
    run = made(digits, train={"epochs": 2, "batch_size": 14})
    states = run.performed(every_steps=1)
    assert len({told(state)["scaler"].get("scale") for state in states}) > 3
    for state in states[:-1:2]:
        assert same(run.performed(state)[-1], states[-1])
    forgetful = replace(states[5], progress=json.dumps({**json.loads(states[5].progress), "scaler": {}}))
    assert not same(run.performed(forgetful)[-1], states[-1]), (
        "the state of the scaler decides something here"
    )
