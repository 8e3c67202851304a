"""Low precision: what is computed in it, and how far it moves a network's features."""

import pytest
import torch

from ftcli.components.head import Linear
from ftcli.engine import placement
from ftcli.engine.build import build_network
from ftcli.engine.placement import cpu_has_bf16
from ftcli.engine.precision import autocast, effect_of_bf16, loss_scaler


def test_products_are_computed_in_the_low_precision():
    a = torch.randn(4, 4)
    with autocast("bf16", "cpu"):
        assert (a @ a).dtype == torch.bfloat16
    with autocast("fp32", "cpu"):
        assert (a @ a).dtype == torch.float32


def test_the_loss_is_scaled_for_fp16_only():
    assert not loss_scaler("fp32", "cpu").is_enabled()
    assert not loss_scaler("bf16", "cpu").is_enabled()


def images(count: int = 4, size: int = 64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, size, size), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize("backbone", ["timm/test_resnet", "timm/test_vit", "torchvision/resnet18"])
def test_random_networks_lie_below_the_bound(backbone):
    network = build_network(backbone, "none", Linear(), 3, image_size=64, seed=0)
    effect = effect_of_bf16(network, images(), "cpu", 8)
    assert 1e-4 < effect.error < 0.01
    assert (effect.num_images, effect.finite) == (4, True)


def test_the_network_is_left_as_it_was():
    network = build_network("timm/test_resnet", "none", Linear(), 3, image_size=64, seed=0)
    network.model.layer1.eval()
    modes = [module.training for module in network.model.modules()]
    state = {name: tensor.clone() for name, tensor in network.model.state_dict().items()}
    drawn = torch.get_rng_state()
    one, other = effect_of_bf16(network, images(), "cpu", 8), effect_of_bf16(network, images(), "cpu", 8)
    assert one == other
    assert modes == [module.training for module in network.model.modules()]
    assert all(torch.equal(state[name], tensor) for name, tensor in network.model.state_dict().items())
    assert torch.equal(drawn, torch.get_rng_state())
    assert not any(module._forward_pre_hooks for module in network.model.modules())


@pytest.mark.parametrize("fp32", [True, False])
def test_features_that_are_not_finite_are_told(fp32):
    network = build_network("timm/test_resnet", "none", Linear(), 3, image_size=64, seed=0)

    def overflow(module, arguments):
        broken = torch.is_autocast_enabled("cpu") or not fp32
        return (arguments[0] * float("nan"),) if broken else None

    network.model.layer1.register_forward_pre_hook(overflow)
    effect = effect_of_bf16(network, images(), "cpu", 8)
    assert not effect.finite
    assert effect.finite_in_fp32 is fp32


FLAGS = {"fma avx2 avx512_vnni": False, "avx512_bf16 fma": True, "amx_tile amx_bf16": True}


@pytest.mark.parametrize("flags", FLAGS)
def test_what_linux_says_of_the_processor(flags, tmp_path, monkeypatch):
    for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.delattr(f"torch.cpu.{name}", raising=False)
    told = tmp_path / "cpuinfo"
    told.write_text(f"flags\t\t: {flags}\n")
    monkeypatch.setattr(placement, "CPU_INFO", told)
    assert cpu_has_bf16() is FLAGS[flags]
    monkeypatch.setattr(placement, "CPU_INFO", tmp_path / "not there")
    assert not cpu_has_bf16()
