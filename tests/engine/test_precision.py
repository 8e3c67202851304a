import torch

from ftcli.engine.precision import autocast, loss_scaler


def test_products_are_computed_in_the_low_precision():
    a = torch.randn(4, 4)
    with autocast("bf16", "cpu"):
        assert (a @ a).dtype == torch.bfloat16
    with autocast("fp32", "cpu"):
        assert (a @ a).dtype == torch.float32


def test_the_loss_is_scaled_for_fp16_only():
    assert not loss_scaler("fp32", "cpu").is_enabled()
    assert not loss_scaler("bf16", "cpu").is_enabled()
