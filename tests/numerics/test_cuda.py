"""The same job on a GPU."""

import pytest
import torch

from tests.numerics.runs import run
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
