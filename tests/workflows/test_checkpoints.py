"""Checkpoints in whole runs: usable before the end, gone after it, and weights that other libraries take."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
import torchvision
from safetensors.torch import load_file
from torch import nn

from ftcli.engine.run_folder import RunFolder
from ftcli.events import EpochDone, Event, Noticed
from ftcli.workflows.evaluate import evaluate
from ftcli.workflows.inspect_run import inspect_path
from ftcli.workflows.predict import predict
from ftcli.workflows.saved_model import load_saved
from tests.numerics.runs import Stop, metrics, run, same_bits, stop_after
from tests.toys import recipe, recorder

LP_FT = {"strategy": {"kind": "lp_ft", "head_epochs": 2}, "train": {"epochs": 4, "batch_size": 8}}


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_a_run_that_is_not_finished_is_usable(digits: Path, tmp_path: Path) -> None:
    """Its best epoch so far predicts, is evaluated and inspected."""
    with pytest.raises(Stop):
        run(recipe(digits, **LP_FT), tmp_path / "run", stop_after(3))
    assert not RunFolder(tmp_path / "run").best.exists()
    best = max(metrics(tmp_path / "run"), key=lambda row: (row["val"]["accuracy"], -row["val"]["loss"]))
    measured = evaluate(tmp_path / "run", "val")
    assert measured["accuracy"] == best["val"]["accuracy"]
    assert measured["loss"] == pytest.approx(best["val"]["loss"], rel=1e-5)
    image = next((digits / "digit 1").iterdir())
    assert predict(tmp_path / "run", [image])[0].label.startswith("digit")
    for place in ("run", "run/checkpoints", "run/checkpoints/000003"):
        assert inspect_path(tmp_path / place).notes[0].startswith("not finished: 3 epochs")


def test_a_damaged_checkpoint_costs_an_epoch_and_no_bits(digits: Path, tmp_path: Path) -> None:
    """The run that passes it over says so, in its summary too, and ends as one that nothing befell."""
    made = recipe(digits, **LP_FT)
    run(made, tmp_path / "whole")
    with pytest.raises(Stop):
        run(made, tmp_path / "cut", stop_after(3))
    state = tmp_path / "cut" / "checkpoints" / "000003" / "state.safetensors"
    state.write_bytes(state.read_bytes()[:-1])
    events, listen = recorder()
    result = run(made, tmp_path / "cut", listen, resume=True)
    rules = [event.finding.rule for event in events if isinstance(event, Noticed)]
    assert "checkpoint-damaged" in rules
    assert "checkpoint-damaged" in [finding.rule for finding in result.findings]
    assert same_bits(tmp_path / "whole", tmp_path / "cut")
    assert metrics(tmp_path / "whole") == metrics(tmp_path / "cut")


def test_an_epoch_of_a_probe_writes_kilobytes(digits: Path, tmp_path: Path) -> None:
    """What is frozen is written once, at the phase's first epoch."""
    sizes: list[int] = []

    def listen(event: Event) -> None:
        if isinstance(event, EpochDone):
            sizes.append(size_of(RunFolder(tmp_path / "run").checkpoints))

    train = {"epochs": 3, "batch_size": 8}
    run(recipe(digits, strategy="feature_extraction", train=train), tmp_path / "run", listen)
    network = RunFolder(tmp_path / "run").best.stat().st_size
    assert network > 1_000_000
    assert sizes[0] < network + 50_000
    assert sizes[2] - sizes[0] < 100_000


@pytest.mark.parametrize("backbone", ["timm/test_resnet", "timm/test_vit", "torchvision/mobilenet_v3_small"])
def test_the_library_s_own_network_takes_the_weights(backbone: str, digits: Path, tmp_path: Path) -> None:
    """`load_state_dict` as it is, strictly; and it computes what ftcli's does."""
    model = {"backbone": backbone, "weights": "none"}
    train = {"epochs": 1, "batch_size": 8}
    result = run(recipe(digits, model=model, train=train, norm="train"), tmp_path / "run")
    source, name = backbone.split("/")
    theirs: nn.Module
    if source == "timm":
        extra = {"img_size": 32} if "vit" in name else {}
        theirs = timm.create_model(name, num_classes=len(result.classes), **extra)
    else:
        theirs = torchvision.models.get_model(name, num_classes=len(result.classes))
    theirs.load_state_dict(load_file(result.weights), strict=True)
    ours = load_saved(tmp_path / "run", "cpu").module
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(theirs.eval()(images), ours(images))  # ftcli's is channels_last
