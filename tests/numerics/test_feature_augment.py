"""Features that are augmented: the same bits kept or not, and nothing of it at evaluation."""

import json

import pytest

from ftcli.errors import RecipeError
from ftcli.workflows.prepare import prepare
from tests.numerics.runs import metrics, run, same_bits
from tests.toys import recipe, recorder, write_digits


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return write_digits(tmp_path_factory.mktemp("digits"), per_class=15, classes=3)


def made(digits, **sections):
    """Drawn with repetition: an example is varied anew each time that an epoch takes it."""
    given = {
        "strategy": "feature_extraction",
        "augment": {"kind": "features", "strength": 0.5},
        "train": {"epochs": 3, "batch_size": 8, "sampler": "balanced"},
        **sections,
    }
    return recipe(digits, **given)


def test_kept_and_computed_anew_are_the_same_bits(digits, tmp_path):
    run(made(digits), tmp_path / "kept")
    runtime = {"device": "cpu", "image_memory_gb": 0, "workers": 1}
    events, listen = recorder()
    run(made(digits, runtime=runtime, cache={"disk_gb": 0}), tmp_path / "anew", listen)
    assert "prefix-too-large" in {event.finding.rule for event in events if hasattr(event, "finding")}
    assert same_bits(tmp_path / "kept", tmp_path / "anew")
    assert metrics(tmp_path / "kept") == metrics(tmp_path / "anew")


def test_only_training_sees_it(digits, tmp_path):
    """At an LR of next to nothing, validation is that of the head's first weights."""
    still = {"optimizer": {"kind": "sgd", "lr": 1e-12}}
    run(made(digits, **still), tmp_path / "varied")
    run(made(digits, augment="none", **still), tmp_path / "plain")
    varied, plain = metrics(tmp_path / "varied"), metrics(tmp_path / "plain")
    assert [row["val"] for row in varied] == [row["val"] for row in plain]
    assert all(one["train_loss"] != other["train_loss"] for one, other in zip(varied, plain, strict=True))


def test_plan_and_summary_name_it_and_the_phases_without(digits, tmp_path):
    gradual = {"kind": "lp_ft", "head_epochs": 1}
    given = made(digits, strategy=gradual, train={"epochs": 2, "batch_size": 8})
    run(given, tmp_path / "run")
    plan, summary = (
        json.loads((tmp_path / "run" / f"{name}.json").read_text()) for name in ("plan", "summary")
    )
    assert (
        plan["transforms"] == summary["augment"] == ["CenterCrop(32)", "FeatureBrightness(0.5, per channel)"]
    )
    (told,) = [each for each in summary["findings"] if each["rule"] == "features-not-augmented"]
    assert "in phase fine-tune nothing is augmented" in told["message"]


def test_where_nothing_is_kept_the_recipe_is_wrong(digits):
    for sections in ({"strategy": "full"}, {"cache": {"prefix": "off"}}):
        with pytest.raises(RecipeError) as error:
            prepare(made(digits, **sections))
        (problem,) = error.value.problems
        assert problem.path == "augment"
        assert "features are augmented where a frozen part is kept" in problem.message
