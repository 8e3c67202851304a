"""Equalities between whole runs."""

import pytest
import torch
from safetensors.torch import load_file

import ftcli.engine.fit
from tests.numerics.runs import metrics, run, same_bits
from tests.toys import recipe

PROBE = {"strategy": "feature_extraction", "train": {"epochs": 5, "batch_size": 8}}


@pytest.mark.parametrize("backbone", ["timm/test_resnet", "timm/test_vit", "timm/test_efficientnet"])
def test_a_probe_from_cached_features_is_the_probe(backbone, digits, tmp_path, monkeypatch):
    made = recipe(digits, **PROBE, model={"backbone": backbone, "weights": "none"})
    run(made, tmp_path / "cached")
    monkeypatch.setattr(ftcli.engine.fit, "_cached", lambda work: None)
    run(made, tmp_path / "computed")
    cached, computed = (load_file(tmp_path / n / "best.safetensors") for n in ("cached", "computed"))
    for name, tensor in cached.items():
        torch.testing.assert_close(tensor, computed[name], rtol=1e-4, atol=1e-6)


def test_accumulated_batches_are_one_large_batch(digits, tmp_path):
    # BatchNorm must not see the batch: its statistics are kept.
    kept = {"norm": "freeze_stats", "augment": "none"}
    run(recipe(digits, **kept, train={"epochs": 1, "batch_size": 16}), tmp_path / "large")
    run(recipe(digits, **kept, train={"epochs": 1, "batch_size": 4, "accumulation": 4}), tmp_path / "small")
    large, small = (load_file(tmp_path / n / "best.safetensors") for n in ("large", "small"))
    for name in large:
        torch.testing.assert_close(large[name], small[name], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kind", ["cross_entropy", "focal"])
def test_accumulated_batches_are_one_large_batch_for_weighted_classes_too(kind, digits, tmp_path):
    made = {
        "norm": "freeze_stats",
        "objective": {"kind": kind, "class_weights": {"digit 0": 0.05, "digit 1": 9.0}},
    }
    run(recipe(digits, **made, train={"epochs": 1, "batch_size": 8}), tmp_path / "large")
    run(recipe(digits, **made, train={"epochs": 1, "batch_size": 2, "accumulation": 4}), tmp_path / "small")
    large, small = (load_file(tmp_path / n / "best.safetensors") for n in ("large", "small"))
    for name in large:
        torch.testing.assert_close(large[name], small[name], rtol=1e-3, atol=1e-5)


def test_equal_weights_are_no_weights(digits, tmp_path):
    weights = {f"digit {number}": 2.5 for number in range(4)}
    run(recipe(digits), tmp_path / "none")
    run(recipe(digits, objective={"kind": "cross_entropy", "class_weights": weights}), tmp_path / "equal")
    none, equal = (load_file(tmp_path / n / "best.safetensors") for n in ("none", "equal"))
    for name in none:
        torch.testing.assert_close(none[name], equal[name], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("sampler", ["balanced", "weighted"])
def test_a_drawn_probe_from_cached_features_is_the_probe(sampler, digits, tmp_path, monkeypatch):
    made = {"strategy": "feature_extraction", "train": {"epochs": 5, "batch_size": 8, "sampler": sampler}}
    run(recipe(digits, **made), tmp_path / "cached")
    monkeypatch.setattr(ftcli.engine.fit, "_cached", lambda work: None)
    run(recipe(digits, **made), tmp_path / "computed")
    cached, computed = (load_file(tmp_path / n / "best.safetensors") for n in ("cached", "computed"))
    for name, tensor in cached.items():
        torch.testing.assert_close(tensor, computed[name], rtol=1e-4, atol=1e-6)


def test_partial_from_the_stem_is_full(digits, tmp_path):
    run(recipe(digits, strategy="full"), tmp_path / "full")
    run(recipe(digits, strategy={"kind": "partial", "from_stage": "stem"}), tmp_path / "partial")
    assert same_bits(tmp_path / "full", tmp_path / "partial")
    strip = [{k: v for k, v in row.items() if k != "phase"} for row in metrics(tmp_path / "full")]
    assert strip == [{k: v for k, v in row.items() if k != "phase"} for row in metrics(tmp_path / "partial")]


def test_layer_decay_of_one_is_uniform(digits, tmp_path):
    run(recipe(digits, layer_lr="uniform"), tmp_path / "uniform")
    run(recipe(digits, layer_lr={"kind": "layer_decay", "decay": 1.0}), tmp_path / "decay")
    assert same_bits(tmp_path / "uniform", tmp_path / "decay")
