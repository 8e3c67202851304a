"""The policy that `auto` resolves to, with its reason."""

import pytest

from ftcli.components.norm import Auto, Fixed, policy


@pytest.mark.parametrize(
    ("num_train", "batch", "pretrained", "domain", "kind", "reason"),
    [
        (4999, 32, True, "unknown", "freeze_stats", "fewer than 5,000"),
        (5000, 32, True, "unknown", "train", "at least 5,000"),
        (800, 32, True, "far", "train", "far domain"),
        (800, 16, True, "far", "freeze_stats", "fewer than"),
        (800, 32, True, "close", "freeze_stats", "fewer than"),
        (800, 32, False, "close", "train", "no pretrained statistics"),
        (None, 32, True, "unknown", "freeze_stats", "not known"),
    ],
)
def test_auto(num_train, batch, pretrained, domain, kind, reason):
    chosen = policy(Auto(domain=domain), num_train=num_train, batch_size=batch, pretrained=pretrained)
    assert chosen.kind == kind
    assert reason in chosen.reason


@pytest.mark.parametrize(
    ("kind", "updates_stats", "trains_affine"),
    [
        ("train", True, True),
        ("freeze_stats", False, True),
        ("freeze", False, False),
        ("freeze_affine", True, False),
        ("group_norm", False, True),
    ],
)
def test_fixed(kind, updates_stats, trains_affine):
    chosen = policy(Fixed(kind=kind), num_train=10, batch_size=2, pretrained=True)
    assert (chosen.updates_stats, chosen.trains_affine) == (updates_stats, trains_affine)
    assert chosen.to_group_norm == (kind == "group_norm")
