"""A model file that has lost its class order or its preprocessing is refused: no guess is ever made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from ftcli.engine.weights_file import KEY, load_model
from ftcli.errors import ModelError
from ftcli.workflows.predict import predict
from ftcli.workflows.train import train
from tests.hostile.corpus import page
from tests.toys import ignore, recipe, write_digits


@pytest.fixture(scope="module")
def best(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    made = recipe(write_digits(path / "digits", per_class=8, classes=2), train={"epochs": 1, "batch_size": 8})
    train(made, out=path / "run", resume=False, listener=ignore)
    return path / "run" / "best.safetensors"


@pytest.mark.fault(21)
@pytest.mark.parametrize("lost", ["classes", "preprocessing", "backbone", "head", None])
def test_predict_refuses_it(best: Path, tmp_path: Path, lost: str | None) -> None:
    state, _ = load_model(best)
    with safe_open(best, framework="pt") as file:
        card = json.loads(file.metadata()[KEY])
    page().save(tmp_path / "a.png")
    card.pop(lost, None)
    whole = {name: tensor.clone() for name, tensor in state.items() if isinstance(tensor, torch.Tensor)}
    save_file(whole, tmp_path / "m.safetensors", {KEY: json.dumps(card)})
    if lost is None:
        assert len(predict(tmp_path / "m.safetensors", [tmp_path / "a.png"])) == 1
        return
    with pytest.raises(ModelError, match="not a model that ftcli saved") as caught:
        predict(tmp_path / "m.safetensors", [tmp_path / "a.png"])
    assert caught.value.exit_code == 5
