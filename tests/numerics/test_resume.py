"""A run that was cut off ends with the same bits as one that was not."""

import pytest

from ftcli.errors import UsageError
from tests.numerics.runs import Stop, metrics, run, same_bits, stop_after
from tests.toys import recipe

CASES = {
    "gradual": {
        "strategy": {"kind": "gradual", "to_stage": "layer3"},
        "train": {"epochs": 4, "batch_size": 8},
    },
    "lp_ft": {"strategy": {"kind": "lp_ft", "head_epochs": 2}, "train": {"epochs": 4, "batch_size": 8}},
    "plateau": {
        "strategy": {"kind": "gradual", "on": "plateau", "patience": 1, "to_stage": "layer4"},
        "train": {"epochs": 4, "batch_size": 8, "early_stopping": {"patience": 3}},
    },
    "accumulation": {"train": {"epochs": 4, "batch_size": 4, "accumulation": 3}, "augment": "standard"},
    "drawn, mixed and weighted": {
        "augment": {"kind": "strong", "mix": "cutmix"},
        "objective": {"kind": "focal", "class_weights": {"digit 0": 3.0}},
        "train": {"epochs": 4, "batch_size": 4, "accumulation": 3, "sampler": "balanced"},
    },
    "drawn features": {
        "strategy": "feature_extraction",
        "train": {"epochs": 4, "batch_size": 8, "sampler": "balanced"},
    },
    "sgd": {"optimizer": {"kind": "sgd"}, "train": {"epochs": 4, "batch_size": 8}},
    "dropout": {
        "model": {
            "backbone": "timm/test_resnet",
            "weights": "none",
            "head": {"kind": "mlp", "hidden": [16], "dropout": 0.5},
        },
        "train": {"epochs": 4, "batch_size": 8},
    },
}


@pytest.mark.parametrize(
    "after", [pytest.param(1, marks=pytest.mark.slow), 2, pytest.param(3, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("case", CASES)
def test_resumed_equals_uninterrupted(case, after, digits, tmp_path):
    made = recipe(digits, **CASES[case])
    whole = run(made, tmp_path / "whole")
    if whole.epochs_run <= after:
        pytest.skip("the run is over by then")
    with pytest.raises(Stop):
        run(made, tmp_path / "cut", stop_after(after))
    resumed = run(made, tmp_path / "cut", resume=True)
    assert same_bits(tmp_path / "whole", tmp_path / "cut")
    assert metrics(tmp_path / "whole") == metrics(tmp_path / "cut")
    assert resumed.findings == whole.findings
    assert (resumed.test, resumed.ceiling, resumed.frozen) == (whole.test, whole.ceiling, whole.frozen)


def test_a_changed_recipe_is_refused(digits, tmp_path):
    with pytest.raises(Stop):
        run(recipe(digits), tmp_path / "cut", stop_after(1))
    with pytest.raises(UsageError, match="another plan"):
        run(recipe(digits, seed=3), tmp_path / "cut", resume=True)


def test_a_complete_run_is_not_run_again(digits, tmp_path):
    first = run(recipe(digits), tmp_path / "run")
    before = (tmp_path / "run" / "best.safetensors").stat().st_mtime_ns
    assert run(recipe(digits), tmp_path / "run", resume=True) == first
    assert (tmp_path / "run" / "best.safetensors").stat().st_mtime_ns == before
