"""Equalities between whole runs."""

import pytest
import torch
from safetensors.torch import load_file

from tests.numerics.runs import metrics, run, same_bits
from tests.toys import recipe


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
