"""A network from a backbone's name and a head's options."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn

from ftcli.components.head import MLP, Linear
from ftcli.engine.build import build_network, replace_head, with_group_norm
from ftcli.engine.network import Network
from ftcli.engine.weights_file import ModelCard, save_model
from ftcli.errors import ModelError
from ftcli.plans.layer_map import HEAD


def network(
    backbone: str = "timm/test_resnet",
    weights: str = "none",
    head: Linear | MLP | None = None,
    num_classes: int = 5,
    *,
    seed: int = 0,
    meta: bool = False,
) -> Network:
    return build_network(
        backbone,
        weights,
        head or Linear(),
        num_classes,
        image_size=None,
        seed=seed,
        meta=meta,
    )


def head_state(built: Network) -> dict[str, Tensor]:
    return built.model.get_submodule(built.heads[0]).state_dict()


def equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(("num_classes", "parameters"), [(5, 2_565), (10, 5_130)])
def test_resnet18s_head(num_classes: int, parameters: int) -> None:
    layer_map = network("torchvision/resnet18", num_classes=num_classes, meta=True).layer_map
    assert layer_map.numel(p.name for p in layer_map.in_stages([HEAD])) == parameters


def test_a_deeper_head_is_all_head() -> None:
    built = network("torchvision/resnet18", head=MLP(kind="mlp", hidden=(128,)), num_classes=2, meta=True)
    assert [p.name for p in built.layer_map.in_stages([HEAD])] == [
        "fc.0.weight",
        "fc.0.bias",
        "fc.3.weight",
        "fc.3.bias",
    ]
    assert built.layer_map.numel(p.name for p in built.layer_map.in_stages([HEAD])) == 65_922


def test_the_network_depends_on_the_seed_alone() -> None:
    torch.manual_seed(1)
    first = network(seed=3)
    torch.manual_seed(2)
    assert equal(first.model.state_dict(), network(seed=3).model.state_dict())
    assert not equal(first.model.state_dict(), network(seed=4).model.state_dict())


def test_the_head_does_not_depend_on_the_weights_below(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save(network(seed=9).model.state_dict(), path)
    assert equal(head_state(network(seed=3)), head_state(network(weights=str(path), seed=3)))


def test_the_callers_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    network(seed=3)
    assert torch.equal(torch.get_rng_state(), before)


def test_what_is_known_of_it() -> None:
    built = network("timm/resnet18", "default", meta=True)
    assert built.backbone == built.layer_map.backbone == "timm/resnet18"
    assert built.weights_note.endswith("of timm")
    assert built.preprocessing.image_size == 224
    assert built.model.num_classes == 5


@pytest.mark.parametrize(
    ("backbone", "plain"),
    [
        ("torchvision/mobilenet_v3_small", lambda: torchvision.models.mobilenet_v3_small(num_classes=5)),
        ("torchvision/densenet121", lambda: torchvision.models.densenet121(num_classes=5)),
        ("timm/test_vit", lambda: timm.create_model("test_vit", num_classes=5)),
        ("timm/test_efficientnet", lambda: timm.create_model("test_efficientnet", num_classes=5)),
    ],
)
def test_its_weights_load_where_the_backbone_is_from(backbone: str, plain) -> None:  # type: ignore[no-untyped-def]
    built, theirs = network(backbone), plain()
    theirs.load_state_dict(built.model.state_dict())
    images = torch.randn(1, 3, built.preprocessing.image_size, built.preprocessing.image_size)
    with torch.no_grad():
        assert torch.equal(theirs.eval()(images), built.model.eval()(images))


def test_the_best_weights_of_another_run_are_weights(tmp_path: Path) -> None:
    other = network(head=MLP(kind="mlp"), num_classes=3, seed=9)
    card = ModelCard("timm/test_resnet", {"kind": "mlp"}, ("a", "b", "c"), other.preprocessing)
    save_model(tmp_path / "best.safetensors", other.model.state_dict(), card)
    built = network(weights=str(tmp_path / "best.safetensors"))
    assert built.weights_note.startswith("file best.safetensors: ")
    backbone = {name: t for name, t in other.model.state_dict().items() if not name.startswith("fc.")}
    assert all(torch.equal(built.model.state_dict()[name], tensor) for name, tensor in backbone.items())


def test_group_norm_keeps_the_parameters() -> None:
    built = network()
    changed = with_group_norm(built)
    assert changed.layer_map.batch_norms == ()
    assert changed.layer_map.parameters == built.layer_map.parameters
    assert [name for name, _ in changed.model.named_parameters()] == [
        p.name for p in built.layer_map.parameters
    ]
    assert not list(changed.model.named_buffers())


def test_only_a_linear_layer_is_replaced() -> None:
    with pytest.raises(ModelError, match="is a Conv2d"):
        replace_head(nn.Sequential(nn.Conv2d(3, 4, 3)), "0", lambda width: nn.Linear(width, 2))
