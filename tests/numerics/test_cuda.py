"""The same job on a GPU."""

import pytest
import torch

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
