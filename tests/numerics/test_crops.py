"""Crops that are made a batch at once: named in the plan, and runs that are equal with them as they are without."""

import json

import pytest

from tests.numerics.runs import assert_resumed_is_whole, metrics, run, same_bits
from tests.numerics.test_prefix import pretrained

BATCH = {"device": "cpu", "crops": "batch"}
CASES = {
    "plain": {"strategy": "full", "augment": "light"},
    "mixed, drawn": {
        "strategy": "full",
        "augment": {"kind": "light", "mix": "mixup"},
        "train": {"epochs": 4, "batch_size": 4, "accumulation": 2, "sampler": "balanced"},
    },
    "fresh views": {"strategy": "partial", "augment": "light", "cache": {"views": "fresh"}},
    "views": {"strategy": "partial", "augment": "light", "cache": {"views": 2}},
}


def made(case, digits, tmp_path, **runtime):
    sections = {"train": {"epochs": 4, "batch_size": 8}, **CASES[case]}
    return pretrained(digits, tmp_path, **sections, runtime={**BATCH, **runtime})


@pytest.mark.parametrize("case", CASES)
def test_a_run_learns_what_it_learns_image_by_image(case, digits, tmp_path):
    for how in ("batch", "image"):
        result = run(made(case, digits, tmp_path, crops=how), tmp_path / how)
        assert result.views == (2 if case == "views" else 0)
        plan, summary = (json.loads((tmp_path / how / f"{n}.json").read_text()) for n in ("plan", "summary"))
        assert plan["crops"] == summary["crops"] == result.crops == how
    batch, image = ([row["train_loss"] for row in metrics(tmp_path / how)] for how in ("batch", "image"))
    assert batch == pytest.approx(image, rel=0.02)


@pytest.mark.parametrize("case", ["mixed, drawn", "views"])
def test_resumed_equals_uninterrupted(case, digits, tmp_path):
    asked = made(case, digits, tmp_path)
    assert_resumed_is_whole(asked, tmp_path, epochs=2)


def test_views_that_are_kept_and_those_that_are_made_again_are_the_same_bits(digits, tmp_path):
    """Kept in the order of the stream, made again in that of an epoch: a crop has other neighbours in its batch."""
    kept = made("views", digits, tmp_path)
    anew = made("views", digits, tmp_path, image_memory_gb=0, workers=0)
    anew = anew.model_copy(update={"cache": anew.cache.model_copy(update={"disk_gb": 0})})
    assert run(kept, tmp_path / "kept").reuse is not None
    findings = run(anew, tmp_path / "anew").findings
    assert "prefix-too-large" in {finding.rule for finding in findings}
    assert same_bits(tmp_path / "kept", tmp_path / "anew")
