import pytest
import torch
from safetensors.torch import save_file

from ftcli.engine.weights_file import ModelCard, load_model, save_model
from ftcli.errors import ModelError
from ftcli.plans.preprocessing import IMAGENET

CARD = ModelCard("timm/test_resnet", {"kind": "linear", "dropout": 0.0}, ("ä", "[red]b"), IMAGENET)


def test_everything_that_predict_needs_comes_back(tmp_path):
    path = tmp_path / "best.safetensors"
    weights = {"w": torch.randn(4, 3, 2, 2).to(memory_format=torch.channels_last), "n": torch.tensor(3)}
    save_model(path, weights, CARD)
    tensors, card = load_model(path)
    assert card == CARD
    assert all(torch.equal(tensors[name], weights[name]) for name in weights)


@pytest.mark.parametrize("content", [b"", b"not tensors", b"\x80\x04" * 50])
def test_a_damaged_file(tmp_path, content):
    path = tmp_path / "best.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        load_model(path)
    assert caught.value.exit_code == 5


def test_a_file_without_classes_is_refused(tmp_path):
    path = tmp_path / "foreign.safetensors"
    save_file({"w": torch.zeros(1)}, path)
    with pytest.raises(ModelError, match="does not say which classes"):
        load_model(path)
