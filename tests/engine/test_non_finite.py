"""NaN and infinity put into loss, gradient, weight and buffer of real runs: nothing of it is ever saved."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.amp.grad_scaler import GradScaler

from ftcli.engine.finite import first_non_finite
from ftcli.errors import NonFiniteError
from ftcli.events import EpochDone, Event, Noticed, StepDone
from tests.numerics.runs import Stop, run, stop_after
from tests.toys import recipe

pytestmark = pytest.mark.fault(5)
STEPS_PER_EPOCH, EPOCHS = 7, 3
KINDS = ("loss", "gradient", "weight", "buffer")
CASES = [(kind, step) for step in range(1, 21, 1) for kind in KINDS]
FEW = {("loss", 10), ("gradient", 16), ("weight", 9), ("buffer", 12), ("buffer", 13)}
WEIGHT, BUFFER = "layer2.0.conv1.weight", "layer3.0.bn1.running_var"


def cases():
    return [case if case in FEW else pytest.param(*case, marks=pytest.mark.slow) for case in CASES]


@dataclass
class Fault:
    """Puts `value` into the run's `kind` at its optimizer step `step`, counted from 1, `times` in all."""

    kind: str
    step: int
    value: float = math.nan
    times: int = 1
    done: int = 0
    model: nn.Module | None = None
    files: list[list[int]] = field(default_factory=list)
    findings: list[Any] = field(default_factory=list)
    epochs: list[EpochDone] = field(default_factory=list)

    def due(self) -> bool:
        at = self.done < self.times and self.steps + 1 >= self.step
        self.done += at
        return at

    steps: int = 0

    def attach(self, model: nn.Module) -> None:
        """Called when a phase begins."""
        self.model = model
        if self.kind == "loss":
            model.fc.register_forward_hook(self._logits)
        if self.kind == "validation":
            model.fc.register_forward_hook(self._logits_without_gradient)
        if self.kind == "gradient":
            model.get_parameter(WEIGHT).register_hook(self._gradient)
        if self.kind in ("weight", "buffer"):
            model.register_forward_pre_hook(lambda module, args: self._into_state())

    def _logits(self, module: nn.Module, args: Any, logits: torch.Tensor) -> torch.Tensor:
        return logits + self.value if torch.is_grad_enabled() and self.due() else logits

    def _logits_without_gradient(self, module: nn.Module, args: Any, logits: torch.Tensor) -> torch.Tensor:
        return logits + self.value if not torch.is_grad_enabled() and self.due() else logits

    def _gradient(self, gradient: torch.Tensor) -> torch.Tensor:
        return torch.full_like(gradient, self.value) if self.due() else gradient

    def _into_state(self) -> None:
        name = WEIGHT if self.kind == "weight" else BUFFER
        if torch.is_grad_enabled() and self.due():
            assert self.model is not None
            tensor = self.model.state_dict()[name]
            tensor[(0,) * tensor.ndim] = self.value

    def listen(self, event: Event) -> None:
        if isinstance(event, StepDone):
            self.steps += 1
        if isinstance(event, Noticed):
            self.findings.append(event.finding)
        if isinstance(event, EpochDone):
            self.epochs.append(event)


@pytest.fixture
def attached(monkeypatch):
    from ftcli.engine import fit

    own = fit.stepper_of

    def attach(fault):
        def stepper(work, phase, feed, optimizer):
            fault.attach(work.network.model)
            return own(work, phase, feed, optimizer)

        monkeypatch.setattr(fit, "stepper_of", stepper)
        return fault

    return attach


def made(digits, norm="freeze_stats", **train):
    return recipe(digits, norm=norm, train={"epochs": EPOCHS, "batch_size": 8, **train})


def saved_tensors(folder):
    """Of every file of tensors that the run has left, by file and name."""
    return {
        (path.name, name): tensor
        for path in sorted(folder.rglob("*.safetensors"))
        for name, tensor in load_file(path).items()
    }


@pytest.mark.parametrize(("kind", "step"), cases())
def test_the_run_stops_and_nothing_of_it_is_saved(kind, step, digits, tmp_path, attached):
    value = math.inf if step % 2 else math.nan
    fault = attached(Fault(kind, step, value))
    with pytest.raises(NonFiniteError) as caught:
        run(made(digits), tmp_path / "run", fault.listen)
    assert fault.done == 1, "the fault was injected"
    assert caught.value.exit_code == 20
    found = json.loads((tmp_path / "run" / "diagnosis.json").read_text())
    assert found["first"] == {
        "kind": kind,
        "name": {"weight": WEIGHT, "buffer": BUFFER, "gradient": WEIGHT}.get(kind),
    }
    tensors = saved_tensors(tmp_path / "run")
    assert first_non_finite({" ".join(key): tensor for key, tensor in tensors.items()}) is None
    assert bool(tensors) == bool(fault.epochs), "epochs that were done before are there"


def test_the_diagnosis_has_files_lrs_and_norms(digits, tmp_path, attached):
    fault = attached(Fault("gradient", 10, math.inf))
    with pytest.raises(NonFiniteError) as caught:
        run(made(digits), tmp_path / "run", fault.listen)
    found = json.loads((tmp_path / "run" / "diagnosis.json").read_text())
    at = (found["phase"], found["epoch"], found["step"], found["steps_per_epoch"], found["precision"])
    assert at == ("full", 1, 3, STEPS_PER_EPOCH, "fp32")
    assert len(found["files"]) == 8
    assert all(file.startswith(str(digits)) for file in found["files"])
    assert found["groups"][-1]["stage"] == "head"
    norms = {(group["stage"], group["weight_decay"] > 0): group["gradient_norm"] for group in found["groups"]}
    assert norms.pop(("layer2", True)) == "inf"
    assert all(0 < norm < math.inf for norm in norms.values())
    assert all(group["lr"] > 0 and 0 <= group["weight_norm"] < math.inf for group in found["groups"])
    error = caught.value
    assert "in phase full, epoch 1, step 3: the gradient layer2.0.conv1.weight is not finite" in error.what
    assert "and 5 more" in (error.where or "")
    assert "lower optimizer.lr (or the LR of stage layer2: layer_lr)" in (error.remedy or "")
    assert found["remedy"] == error.remedy


def test_statistics_that_nothing_reads_in_training_are_found_before_they_are_saved(
    digits, tmp_path, attached
):
    """BatchNorm in train mode goes by its batch: the loss stays finite."""
    fault = attached(Fault("buffer", 9))
    with pytest.raises(NonFiniteError, match=f"the buffer {BUFFER} is not finite") as caught:
        run(made(digits, norm="train"), tmp_path / "run", fault.listen)
    assert caught.value.where is None, "no image is to blame"
    names = {" ".join(key): tensor for key, tensor in saved_tensors(tmp_path / "run").items()}
    assert names
    assert first_non_finite(names) is None


def test_a_validation_whose_loss_is_no_number_stops_the_run(digits, tmp_path, attached):
    """As in fp16, where the weights may be numbers and the logits none. It would be the best loss for good."""
    fault = attached(Fault("validation", 2 * STEPS_PER_EPOCH))
    with pytest.raises(NonFiniteError, match="the loss on validation is nan in phase full, epoch 1, step 7"):
        run(made(digits), tmp_path / "run", fault.listen)
    found = json.loads((tmp_path / "run" / "diagnosis.json").read_text())
    assert found["first"] == {"kind": "loss", "name": None}
    assert [event.epoch for event in fault.epochs] == [0]


def test_a_validation_whose_loss_is_no_number_is_rolled_back(digits, tmp_path, attached):
    fault = attached(Fault("validation", STEPS_PER_EPOCH))
    run(made(digits, on_non_finite="rollback"), tmp_path / "run", fault.listen)
    assert [finding.rule for finding in fault.findings].count("rolled-back") == 1
    assert [event.epoch for event in fault.epochs] == list(range(EPOCHS))
    assert all(math.isfinite(event.val.loss) for event in fault.epochs)


@pytest.mark.parametrize(("kind", "step"), cases())
def test_a_run_that_rolls_back_ends_with_finite_weights(kind, step, digits, tmp_path, attached):
    fault = attached(Fault(kind, step))
    result = run(made(digits, on_non_finite="rollback"), tmp_path / "run", fault.listen)
    assert fault.done == 1, "the fault was injected"
    (finding,) = [f for f in result.findings if f.rule == "rolled-back"]
    assert finding in fault.findings
    epoch = (step - 1) // STEPS_PER_EPOCH
    assert f"back to the start of epoch {epoch}, every LR from here on times 0.5" in finding.message
    assert [event.epoch for event in fault.epochs] == list(range(EPOCHS))
    tensors = {" ".join(key): tensor for key, tensor in saved_tensors(tmp_path / "run").items()}
    assert first_non_finite(tensors) is None
    assert not (tmp_path / "run" / "diagnosis.json").exists()


def test_a_rollback_leaves_no_trace_but_the_lr(digits, tmp_path, attached, monkeypatch):
    """With a factor of 1 the run ends with the bits of one that nothing befell."""
    calm = run(made(digits, norm="train"), tmp_path / "calm")
    monkeypatch.setattr("ftcli.engine.rollback.LR_FACTOR", 1.0)
    fault = attached(Fault("gradient", 12))
    made_again = made(digits, norm="train", on_non_finite="rollback")
    befallen = run(made_again, tmp_path / "befallen", fault.listen)
    assert "rolled-back" in [finding.rule for finding in befallen.findings]
    one, other = (load_file(result.weights) for result in (calm, befallen))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_rollback_puts_the_loss_scale_back(digits, tmp_path, attached, monkeypatch):
    """A scale that is no power of two, and grows often, decides the last bits of every gradient."""
    monkeypatch.setattr("ftcli.engine.rollback.LR_FACTOR", 1.0)
    monkeypatch.setattr(
        "ftcli.engine.fit.loss_scaler",
        lambda precision, device: GradScaler(device, init_scale=3.0, growth_factor=1.7, growth_interval=3),
    )
    calm = run(made(digits), tmp_path / "calm")
    fault = attached(Fault("loss", 12))
    befallen = run(made(digits, on_non_finite="rollback"), tmp_path / "befallen", fault.listen)
    assert "rolled-back" in [finding.rule for finding in befallen.findings]
    one, other = (load_file(result.weights) for result in (calm, befallen))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_what_was_noticed_before_a_cut_is_in_the_result(digits, tmp_path, attached):
    fault = attached(Fault("gradient", 9, times=2))
    made_again = made(digits, on_non_finite="rollback")
    stop = stop_after(2)

    def listen(event: Event) -> None:
        fault.listen(event)
        stop(event)

    with pytest.raises(Stop):
        run(made_again, tmp_path / "run", listen)
    result = run(made_again, tmp_path / "run", resume=True)
    told = [finding for finding in fault.findings if finding.rule == "rolled-back"]
    assert len(told) == 2
    assert [finding for finding in result.findings if finding.rule == "rolled-back"] == told
    assert len(result.findings) == len(set(result.findings)), "what is found again is told once"


def test_the_fourth_time_is_the_last(digits, tmp_path, attached):
    fault = attached(Fault("gradient", 9, times=10**6))
    with pytest.raises(NonFiniteError) as caught:
        run(made(digits, on_non_finite="rollback"), tmp_path / "run", fault.listen)
    assert caught.value.exit_code == 20
    assert "rollback" not in (caught.value.remedy or "")
    told = [finding.message for finding in fault.findings if finding.rule == "rolled-back"]
    assert [message.partition("times ")[2].split()[0] for message in told] == ["0.5", "0.25", "0.125"]
    assert (tmp_path / "run" / "diagnosis.json").exists()
