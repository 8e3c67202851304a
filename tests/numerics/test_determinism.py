"""The same recipe gives the same bits: for every strategy, with any number of workers."""

import pytest

from tests.numerics.runs import metrics, run, same_bits
from tests.toys import recipe

STRATEGIES = [
    {"kind": "feature_extraction"},
    {"kind": "partial", "last_stages": 2},
    {"kind": "full"},
    {"kind": "gradual", "to_stage": "layer4"},
    {"kind": "lp_ft", "head_epochs": 1},
    {"kind": "scratch"},
]


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: s["kind"])
def test_same_seed_same_bits(strategy, digits, tmp_path):
    plain = recipe(digits, strategy=strategy, augment="strong")
    run(plain, tmp_path / "a")
    run(plain, tmp_path / "b")
    assert same_bits(tmp_path / "a", tmp_path / "b")
    assert metrics(tmp_path / "a") == metrics(tmp_path / "b")


@pytest.mark.fault(17)
@pytest.mark.parametrize("workers", [2, *(pytest.param(n, marks=pytest.mark.slow) for n in (0, 4))])
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: s["kind"])
def test_workers_do_not_change_a_bit_of_any_strategy(strategy, workers, digits, tmp_path):
    made = {"strategy": strategy, "augment": "strong", "train": {"epochs": 2, "batch_size": 14}}
    run(recipe(digits, **made), tmp_path / "memory")
    streamed = {"device": "cpu", "image_memory_gb": 0, "workers": workers}
    run(recipe(digits, **made, runtime=streamed), tmp_path / "streamed")
    assert same_bits(tmp_path / "memory", tmp_path / "streamed")
    assert metrics(tmp_path / "memory") == metrics(tmp_path / "streamed")


def test_another_seed_another_model(digits, tmp_path):
    run(recipe(digits), tmp_path / "a")
    run(recipe(digits, seed=1), tmp_path / "b")
    assert not same_bits(tmp_path / "a", tmp_path / "b")


def test_workers_do_not_change_a_bit(digits, tmp_path):
    streamed = {"device": "cpu", "image_memory_gb": 0}
    run(recipe(digits, augment="standard"), tmp_path / "memory")
    run(recipe(digits, augment="standard", runtime={**streamed, "workers": 0}), tmp_path / "none")
    run(recipe(digits, augment="standard", runtime={**streamed, "workers": 2}), tmp_path / "two")
    assert same_bits(tmp_path / "memory", tmp_path / "none")
    assert same_bits(tmp_path / "memory", tmp_path / "two")


@pytest.mark.parametrize("mix", ["mixup", "cutmix"])
def test_workers_do_not_change_a_bit_of_drawn_and_mixed_images(mix, digits, tmp_path):
    made = {
        "augment": {"kind": "strong", "policy": "rand_augment", "mix": mix},
        "train": {"epochs": 2, "batch_size": 8, "sampler": "balanced"},
    }
    run(recipe(digits, **made), tmp_path / "memory")
    streamed = {"device": "cpu", "image_memory_gb": 0, "workers": 2}
    run(recipe(digits, **made, runtime=streamed), tmp_path / "two")
    assert same_bits(tmp_path / "memory", tmp_path / "two")
    assert metrics(tmp_path / "memory") == metrics(tmp_path / "two")


def test_the_caller_s_random_numbers_are_left_alone(digits, tmp_path):
    import torch

    torch.manual_seed(7)
    state = torch.get_rng_state()
    run(recipe(digits, augment="light"), tmp_path / "a")
    assert torch.equal(state, torch.get_rng_state())
