"""The same job on a GPU."""

from dataclasses import replace

import pytest
import torch

from ftcli.engine import graphed
from tests.numerics.runs import Stop, metrics, run, same_bits, stop_after
from tests.toys import recipe

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]


@pytest.mark.parametrize("precision", ["auto", "fp32", "bf16", "fp16"])
@pytest.mark.parametrize("strategy", ["feature_extraction", "full", {"kind": "lp_ft", "head_epochs": 1}])
def test_a_run_on_cuda(strategy, precision, digits, tmp_path):
    train = {"epochs": 2, "batch_size": 8, "precision": precision}
    made = recipe(digits, strategy=strategy, train=train, runtime={"device": "cuda"}, augment="light")
    result = run(made, tmp_path / "run")
    assert result.frozen.changed == 0
    assert 0 <= result.test.accuracy <= 1


def test_a_model_trained_on_cuda_predicts_on_the_cpu(digits, tmp_path, monkeypatch):
    from ftcli.workflows.evaluate import evaluate

    result = run(
        recipe(digits, runtime={"device": "cuda"}, train={"epochs": 1, "precision": "fp32"}), tmp_path / "run"
    )
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert evaluate(tmp_path / "run")["accuracy"] == pytest.approx(result.test.accuracy, abs=0.1)


def deterministic_recipe(digits, precision, **sections):
    """With what leaves a state of its own behind: two phases, accumulation, mixup, dropout of images, the scaler."""
    kept = {
        "strategy": {"kind": "lp_ft", "head_epochs": 1},
        "train": {"epochs": 3, "batch_size": 4, "accumulation": 2, "precision": precision},
        "augment": {"kind": "light", "mix": "mixup"},
        "runtime": {"device": "cuda", "deterministic": True},
        "cache": {"disk_gb": 0},
    }
    return recipe(digits, **{**kept, **sections})


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("epochs", [1, 2])
def test_resumed_on_cuda_equals_uninterrupted(epochs, precision, digits, tmp_path):
    """Across the phases' boundary, and within the second one."""
    made = deterministic_recipe(digits, precision)
    run(made, tmp_path / "whole")
    with pytest.raises(Stop):
        run(made, tmp_path / "cut", stop_after(epochs))
    result = run(made, tmp_path / "cut", resume=True)
    assert not [finding for finding in result.findings if finding.rule == "not-deterministic"]
    assert same_bits(tmp_path / "whole", tmp_path / "cut")
    assert metrics(tmp_path / "whole") == metrics(tmp_path / "cut")


GRADUAL = {"kind": "gradual", "to_stage": "layer4"}


@pytest.mark.parametrize("strategy", ["feature_extraction", "partial", "full", GRADUAL, "scratch"])
def test_the_same_seed_gives_the_same_bits_on_cuda(strategy, digits, tmp_path):
    mix = "none" if strategy == "feature_extraction" else "mixup"
    made = deterministic_recipe(digits, "fp32", strategy=strategy, augment={"kind": "light", "mix": mix})
    for name in ("one", "other"):
        run(made, tmp_path / name)
    assert same_bits(tmp_path / "one", tmp_path / "other")
    assert metrics(tmp_path / "one") == metrics(tmp_path / "other")


def test_crops_of_cuda_are_those_of_the_cpu():
    from ftcli.engine.device_crops import Crop, padded, resized
    from ftcli.plans.preprocessing import IMAGENET

    drawn = torch.Generator().manual_seed(0)
    sides = torch.randint(20, 400, (40, 2), generator=drawn).tolist()
    crops = [
        Crop(torch.randint(0, 256, (3, *side), generator=drawn, dtype=torch.uint8), number % 2 == 0)
        for number, side in enumerate(sides)
    ]
    for interpolation in ("bilinear", "bicubic"):
        asked = replace(IMAGENET, interpolation=interpolation)
        cpu, cuda = (resized(padded(crops), asked, device).cpu() for device in ("cpu", "cuda"))
        assert (cpu.int() - cuda.int()).abs().max() <= 1
        assert (cpu != cuda).float().mean() < 1e-4


@pytest.mark.parametrize("mix", ["none", "mixup", "cutmix"])
def test_crops_are_made_on_cuda_of_what_other_processes_load(mix, digits, tmp_path):
    runtime = {"device": "cuda", "workers": 2, "image_memory_gb": 0}
    sections = {"augment": {"kind": "light", "mix": mix}, "cache": {"disk_gb": 0}}
    result = run(recipe(digits, runtime=runtime, **sections), tmp_path / "batch")
    assert result.crops == "batch"
    result = run(recipe(digits, runtime={**runtime, "crops": "image"}, **sections), tmp_path / "image")
    assert result.crops == "image"
    losses = [[row["train_loss"] for row in metrics(tmp_path / how)] for how in ("batch", "image")]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


HEADS = {
    "linear": {"kind": "linear"},
    "dropout": {"kind": "linear", "dropout": 0.5},
    "mlp": {"kind": "mlp", "hidden": [32], "dropout": 0.5},
}


@pytest.fixture
def recordings(monkeypatch):
    """The shapes that are recorded as CUDA graphs, one after the other."""
    own, shapes = graphed.recorded, []

    def recorded(head, features):
        shapes.append(tuple(features.shape))
        return own(head, features)

    monkeypatch.setattr(graphed, "recorded", recorded)
    return shapes


@pytest.mark.parametrize("accumulation", [1, 3])
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("head", HEADS)
def test_a_head_that_is_replayed_ends_with_the_same_bits(
    head, precision, accumulation, digits, tmp_path, recordings, monkeypatch
):
    """Each epoch ends with a batch that is smaller, which is computed as it is."""
    made = deterministic_recipe(
        digits,
        precision,
        strategy="feature_extraction",
        model={"backbone": "timm/test_resnet", "weights": "none", "head": HEADS[head]},
        augment="none",
        train={"epochs": 3, "batch_size": 5, "accumulation": accumulation, "precision": precision},
        runtime={"device": "cuda", "deterministic": True, "cuda_graphs": True},
    )
    result = run(made, tmp_path / "replayed")
    assert not [finding for finding in result.findings if finding.rule == "head-not-graphed"]
    assert [count for count, *_ in recordings] == [5]
    monkeypatch.setattr(graphed, "is_recordable", lambda head, device: False)
    run(made, tmp_path / "plain")
    assert len(recordings) == 1
    assert same_bits(tmp_path / "replayed", tmp_path / "plain")
    assert metrics(tmp_path / "replayed") == metrics(tmp_path / "plain")


def test_a_frozen_part_that_is_compiled_on_cuda(digits, tmp_path):
    """Views come from the GPU, where they are cropped, and what evaluation sees from the processor."""
    sections = {
        "strategy": "feature_extraction",
        "augment": "light",
        "train": {"epochs": 3, "batch_size": 4, "precision": "fp32"},
        "cache": {"views": 2, "disk_gb": 0},
    }
    for how in ("off", "on"):
        result = run(recipe(digits, **sections, runtime={"device": "cuda", "compile": how}), tmp_path / how)
        assert result.compile == {"off": "eager", "on": "compiled"}[how]
        assert result.reuse.computed > 0
    assert not [finding for finding in result.findings if finding.rule == "frozen-part-not-compiled"]
    eager, compiled = ([row["train_loss"] for row in metrics(tmp_path / how)] for how in ("off", "on"))
    assert compiled == pytest.approx(eager, rel=1e-3)


def test_recording_a_head_leaves_all_as_it_was():
    head = torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.Dropout(0.5), torch.nn.Linear(4, 3)).cuda()
    features = torch.randn(16, 8, device="cuda")
    before = [p.detach().clone() for p in head.parameters()]
    drawn = torch.get_rng_state(), torch.cuda.get_rng_state()
    replay = graphed.GraphedHead(head, head, "cuda", "fp32", lambda event: None)._recorded(features)
    assert replay is not None
    assert torch.equal(drawn[0], torch.get_rng_state())
    assert torch.equal(drawn[1], torch.cuda.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(before, head.parameters(), strict=True))
    assert all(p.grad is None for p in head.parameters())


def test_a_head_that_cannot_be_recorded_goes_on_as_it_is():
    """What asks for a value while CUDA records is refused; dropout draws again afterwards."""

    class Asking(torch.nn.Linear):
        def forward(self, features):
            return super().forward(features) if features.sum().item() else features

    head = torch.nn.Sequential(Asking(8, 3), torch.nn.Dropout(0.5)).cuda()
    events = []
    forward = graphed.GraphedHead(head, head, "cuda", "fp32", events.append)
    features = torch.randn(16, 8, device="cuda")
    for seed in range(3):
        torch.manual_seed(seed)
        made = forward(features)
        torch.manual_seed(seed)
        assert torch.equal(made, head(features))
    assert [event.finding.rule for event in events] == ["head-not-graphed"]
