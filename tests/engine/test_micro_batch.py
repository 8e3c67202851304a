"""Memory runs out, by the real exception at the real places: the numbers are those of the whole batch."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import nn

from ftcli.engine.batches import Batch
from ftcli.engine.evaluate import predict_logits
from ftcli.engine.micro_batch import MicroBatch, is_out_of_memory, out_of_memory
from ftcli.errors import OutOfMemory
from ftcli.events import Noticed
from ftcli.workflows.train import train
from tests.numerics.runs import run
from tests.toys import recipe, recorder

FULL = "CUDA out of memory. Tried to allocate 2.00 GiB"
HELD_BY_ANOTHER = torch.AcceleratorError(
    "CUDA error: out of memory\nSearch for `cudaErrorMemoryAllocation' for more information."
)
"""What torch raises where another process has left no room for a context."""
TRAIN = {"epochs": 2, "batch_size": 8, "accumulation": 2}
EVAL_NORM = {"norm": "freeze_stats", "train": TRAIN}


class Room:
    """An allocator that refuses more than `most` images at a time, and else at the calls that `at` counts."""

    def __init__(self, most=10**9, at=()):
        self.most, self.at, self.calls = most, set(at), 0

    def ask(self, count=0):
        self.calls += 1
        if count > self.most or self.calls in self.at:
            raise torch.OutOfMemoryError(FULL)


class _Backward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, features, room):
        ctx.room = room
        return features.view_as(features)

    @staticmethod
    def backward(ctx, gradient):
        ctx.room.ask(len(gradient))
        return gradient, None


def fill_forward(model, room):
    """In the middle of the network, when BatchNorms below have moved already."""
    model.layer3.register_forward_pre_hook(
        lambda module, args: room.ask(len(args[0])) if torch.is_grad_enabled() else None
    )


def fill_backward(model, room):
    def hook(module, args, output):
        return _Backward.apply(output, room) if output.requires_grad else output

    model.layer2.register_forward_hook(hook)


def fill_step(optimizer, room):
    """Where a fused optimizer makes room for what it will remember: group by group, the ones before have moved."""
    own = optimizer._init_group

    def asking(*args, **kwargs):
        room.ask()
        return own(*args, **kwargs)

    optimizer._init_group = asking


@pytest.fixture
def filled(monkeypatch):
    """Fills memory at a place, from the first epoch of the run itself on: (place, room)."""
    from ftcli.engine import fit

    def fill(place, room):
        own = fit.stepper_of

        def stepper(work, phase, feed, optimizer):
            if place == "step":
                fill_step(optimizer, room)
            else:
                {"forward": fill_forward, "backward": fill_backward}[place](work.network.model, room)
            return own(work, phase, feed, optimizer)

        monkeypatch.setattr(fit, "stepper_of", stepper)

    return fill


def weights_of(path):
    from safetensors.torch import load_file

    return load_file(path / "best.safetensors")


def halvings(events):
    return [e.finding for e in events if isinstance(e, Noticed) and e.finding.rule == "batch-halved"]


PLACES = [
    (place, at)
    for place, calls in {"forward": (1, 2, 9, 13), "backward": (1, 2, 9, 13), "step": (1, 2, 9, 20)}.items()
    for at in calls
]
FEW = {("forward", 2), ("backward", 9), ("step", 2)}


@pytest.fixture(scope="module")
def whole(digits, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "run"
    run(recipe(digits, **EVAL_NORM), out)
    return weights_of(out)


@pytest.mark.fault(6)
@pytest.mark.parametrize(
    ("place", "at"), [p if p in FEW else pytest.param(*p, marks=pytest.mark.slow) for p in PLACES]
)
def test_one_refusal_anywhere(place, at, whole, digits, tmp_path, filled):
    """The weights of the run are those of one that was never refused, but for the order of sums."""
    room = Room(at=[at])
    filled(place, room)
    events, tell = recorder()
    result = run(recipe(digits, **EVAL_NORM), tmp_path / "run", tell)
    assert room.calls >= at, "the fault was injected"
    (finding,) = halvings(events)
    assert finding in result.findings
    assert "with 8 images at a time: from here on 4" in finding.message
    assert "BatchNorm" not in finding.message
    found = weights_of(tmp_path / "run")
    for name, tensor in whole.items():
        torch.testing.assert_close(found[name], tensor, rtol=2e-3, atol=2e-5, msg=name)


@pytest.mark.fault(6)
@pytest.mark.parametrize("place", ["forward", pytest.param("backward", marks=pytest.mark.slow)])
def test_room_for_three_images(place, whole, digits, tmp_path, filled):
    """Halved twice, 8 to 4 to 2, and it stays so: nothing is tried again."""
    filled(place, Room(most=3))
    events, tell = recorder()
    run(recipe(digits, **EVAL_NORM), tmp_path / "run", tell)
    assert [f.message.partition("from here on ")[2][0] for f in halvings(events)] == ["4", "2"]
    found = weights_of(tmp_path / "run")
    for name, tensor in whole.items():
        torch.testing.assert_close(found[name], tensor, rtol=2e-3, atol=2e-5, msg=name)


@pytest.mark.fault(6)
def test_room_for_no_image(digits, tmp_path, filled):
    filled("forward", Room(most=0))
    with pytest.raises(OutOfMemory, match="with a single image") as caught:
        run(recipe(digits, **EVAL_NORM), tmp_path / "run")
    assert caught.value.exit_code == 21
    assert "data.image_size" in (caught.value.remedy or "")


@pytest.mark.fault(6)
def test_batch_norm_in_train_mode_is_told_and_never_sees_one_image(digits, tmp_path, filled):
    filled("forward", Room(most=1))
    events, tell = recorder()
    with pytest.raises(OutOfMemory, match="with 2 images at a time") as caught:
        run(recipe(digits, norm="train", train=TRAIN), tmp_path / "run", tell)
    assert "norm: freeze_stats" in (caught.value.remedy or "")
    assert "BatchNorm in train mode sees 4 images where it saw 8" in halvings(events)[0].message


def small_stepper(model, room, optimizer=None, **more):
    from ftcli.components.objective import Objective
    from ftcli.engine.precision import loss_scaler
    from ftcli.engine.step import Stepper

    def forward(inputs):
        logits = model(inputs)
        room.ask(len(inputs))
        return logits

    optimizer = optimizer or torch.optim.SGD(model.parameters(), lr=0.1)
    return Stepper(
        forward, optimizer, loss_scaler("fp32", "cpu"), "cpu", "fp32", Objective(0.0, None), None, **more
    )


def batch(count):
    generator = torch.Generator().manual_seed(0)
    return Batch(torch.randn(count, 3, generator=generator), torch.arange(count) % 2, tuple(range(count)))


@pytest.mark.fault(6)
def test_statistics_and_generators_are_those_of_the_step_s_start():
    """A refused attempt leaves no trace: BatchNorm and dropout end as if it had not been."""
    from ftcli.engine.running_stats import RunningStats

    def trained(room, size):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))
        stats = RunningStats(model[1].buffers())
        small_stepper(model, room, micro=MicroBatch(size=size), statistics=stats).step(
            [batch(8)], lambda: torch.manual_seed(7)
        )
        return model.state_dict()

    refused, halved = trained(Room(at=[1]), None), trained(Room(), 4)
    assert refused["1.num_batches_tracked"] == 2
    assert all(torch.equal(refused[name], halved[name]) for name in halved)


def adamw_steps(monkeypatch, refused):
    """A layer after two steps, weight and bias in groups of their own; calls for room in `refused` find none."""
    torch.manual_seed(0)
    model, room = nn.Linear(3, 3), Room(at=refused)
    groups = [{"params": [model.weight]}, {"params": [model.bias]}]
    stepper = small_stepper(model, Room(), optimizer=torch.optim.AdamW(groups, lr=0.1, fused=True))
    own = torch.zeros_like

    def asking(*args, **kwargs):
        room.ask()
        return own(*args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(torch, "zeros_like", asking)
        for _ in range(2):
            stepper.step([batch(8)])
    assert room.calls >= max(refused, default=0), "the fault was injected"
    steps = [state["step"].item() for state in stepper.optimizer.state.values()]
    assert steps == [2, 2]
    return model


@pytest.mark.fault(6)
@pytest.mark.parametrize("refused", [[1], [2], [3], [4], [2, 4], [4, 6]])
def test_no_room_for_a_moment_of_adamw(refused, monkeypatch):
    """Two moments for each group, asked for one by one: a state that is half made is made anew."""
    calm, befallen = adamw_steps(monkeypatch, []), adamw_steps(monkeypatch, refused)
    torch.testing.assert_close(befallen.weight, calm.weight, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(befallen.bias, calm.bias, rtol=1e-5, atol=1e-6)


@pytest.mark.fault(6)
def test_what_the_attempt_had_made_is_freed_before_the_next():
    made = []

    def forward(inputs):
        assert not [ref for ref in made if ref() is not None], "the attempt before is still there"
        gc.disable()
        big = inputs.repeat(1, 10) + 1
        made.append(weakref.ref(big))
        if len(inputs) > 2:
            raise torch.OutOfMemoryError(FULL)
        return big[:, :2].clone()

    with torch.no_grad():
        found = MicroBatch().through(forward, torch.arange(24.0).view(8, 3))
    gc.enable()
    assert torch.equal(found, torch.arange(24.0).view(8, 3)[:, :2] + 1)


@pytest.mark.fault(6)
def test_evaluation_halves_too():
    model, room = nn.Linear(3, 2), Room(most=2)
    events, tell = recorder()

    def forward(inputs):
        room.ask(len(inputs))
        return model(inputs)

    batches = [batch(7), batch(4)]
    logits, labels = predict_logits(forward, batches, "cpu", "fp32", MicroBatch(tell))
    expected, _ = predict_logits(model, batches, "cpu", "fp32")
    torch.testing.assert_close(logits, expected)
    assert len(labels) == 11
    assert len(halvings(events)) == 2


@pytest.mark.parametrize("count", range(1, 18))
@pytest.mark.parametrize("least", [1, 2])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
def test_parts_are_the_batch_in_its_order(count, least, size):
    whole, parts = batch(count), MicroBatch(size=size).parts(batch(count), least)
    assert torch.equal(torch.cat([part.inputs for part in parts]), whole.inputs)
    assert torch.equal(torch.cat([part.labels for part in parts]), whole.labels)
    assert sum((part.indices for part in parts), ()) == whole.indices
    sizes = [len(part.labels) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    assert count < least or min(sizes) >= least
    assert max(sizes) <= size or min(sizes) < 2 * least


def test_mixed_labels_are_shared_out():
    shares = torch.rand(6, 3)
    parts = MicroBatch(size=2).parts(Batch(torch.rand(6, 2), shares, tuple(range(6))))
    assert torch.equal(torch.cat([part.labels for part in parts]), shares)


@pytest.mark.slow
@pytest.mark.fault(6)
@pytest.mark.skipif(sys.platform != "linux", reason="bounds the address space")
def test_the_machine_s_own_memory_too():
    """A process that may have no more: torch's allocator on the CPU refuses, and the batch goes through in halves."""
    code = (
        "import resource, torch\n"
        "from ftcli.engine.micro_batch import MicroBatch\n"
        "told = []\n"
        "now = int(open('/proc/self/statm').read().split()[0]) * 4096\n"
        "resource.setrlimit(resource.RLIMIT_AS, (now + 100 * 2**20,) * 2)\n"
        "made = MicroBatch(told.append).through(lambda x: x.repeat(1, 2**20).sum(1), torch.ones(64, 1))\n"
        "print(made.tolist() == [2.0**20] * 64, len(told), told[0].finding.rule)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    right, count, rule = done.stdout.split()
    assert (right, rule) == ("True", "batch-halved")
    assert int(count) >= 2


def test_other_errors_are_no_lack_of_memory():
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_out_of_memory(torch.AcceleratorError("CUDA error: device-side assert triggered"))
    with pytest.raises(RuntimeError, match="shapes"):
        MicroBatch().through(lambda x: x @ torch.ones(9, 9), torch.ones(2, 3))


@pytest.mark.fault(6)
@pytest.mark.parametrize("error", [MemoryError("no room"), torch.OutOfMemoryError(FULL), HELD_BY_ANOTHER])
def test_where_there_is_no_batch_to_halve(error, digits, tmp_path, monkeypatch):
    def full(*arguments):
        raise error

    monkeypatch.setattr("ftcli.workflows.train.prepare", full)
    with pytest.raises(OutOfMemory, match="out of memory: ") as caught:
        train(recipe(digits), out=tmp_path / "run", resume=False, listener=Counter().update)
    assert caught.value.exit_code == 21


@pytest.mark.fault(6)
def test_a_gpu_that_is_too_full_to_be_asked(monkeypatch):
    """The report of a lack of memory needs none itself."""

    def full():
        raise HELD_BY_ANOTHER

    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", full)
    error = out_of_memory(HELD_BY_ANOTHER)
    assert (error.exit_code, error.what) == (21, "out of memory: CUDA error: out of memory")
