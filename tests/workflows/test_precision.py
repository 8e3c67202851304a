"""`precision: auto` goes by what bf16 does to the network on training images, once: the run's plan keeps it."""

from __future__ import annotations

import json

import pytest
import torch

from ftcli.engine.cache.effects import key_of
from ftcli.engine.cache.home import effects_folder
from ftcli.plans.training_plan import Bf16Effect
from ftcli.workflows import bf16_evidence
from ftcli.workflows.cache import clear_cache
from ftcli.workflows.evaluate import evaluate
from ftcli.workflows.inspect import inspect_recipe
from ftcli.workflows.inspect_run import inspect_path
from ftcli.workflows.prepare import prepare
from tests.numerics.runs import Stop, run, same_bits, stop_after
from tests.toys import recipe, write_digits


@pytest.fixture(autouse=True)
def has_bf16(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("ftcli.engine.placement.cpu_has_bf16", lambda: True)


@pytest.fixture
def refused(monkeypatch):
    """A measurement that speaks against bf16, and how often it was made."""
    seen = []

    def effect(network, images, device, at_once):
        seen.append(len(images))
        return Bf16Effect(0.05, len(images))

    monkeypatch.setattr(bf16_evidence, "effect_of_bf16", effect)
    return seen


def decided(plan):
    return next(decision for decision in plan.decisions if decision.what == "precision")


def test_a_random_network_is_trained_in_bf16(digits):
    plan = prepare(recipe(digits)).plan
    assert plan.precision == "bf16"
    assert decided(plan).why.startswith("features within 0.")
    assert decided(plan).why.endswith("of fp32 on 32 images (bound 1%)")


def test_a_network_that_bf16_moves_is_not(digits, refused):
    plan = prepare(recipe(digits)).plan
    assert plan.precision == "fp32"
    assert decided(plan).why == "bf16 moves the features by 5.0% (bound 1%)"
    assert refused == [32]


def test_nothing_is_measured_where_the_recipe_says_so_or_nothing_trains(digits, refused):
    for precision in ("fp32", "bf16"):
        named = recipe(digits, train={"epochs": 1, "precision": precision})
        assert prepare(named).plan.precision == precision
    assert inspect_recipe(recipe(digits)).precision == "fp32"
    assert "first training images" in decided(inspect_recipe(recipe(digits))).why
    assert not refused


def test_it_is_measured_once_for_a_network_and_its_images(digits, refused, monkeypatch):
    first = prepare(recipe(digits)).plan
    again = prepare(recipe(digits)).plan
    assert refused == [32]
    assert decided(again) == decided(first)
    prepare(recipe(digits, train={"epochs": 1, "batch_size": 4}))
    assert refused == [32, 32]
    with monkeypatch.context() as patch:
        patch.setenv("FTCLI_CACHE_GB", "0")
        prepare(recipe(digits))
        prepare(recipe(digits))
    assert len(refused) == 4
    clear_cache(None, None)
    prepare(recipe(digits))
    assert len(refused) == 5


def test_other_weights_and_a_damaged_record_are_measured_anew(digits, refused):
    prepare(recipe(digits))
    network = prepare(recipe(digits)).network
    (record,) = effects_folder().iterdir()
    key = record.stem
    images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
    before = key_of(network, images, "cpu", 8)
    assert before == key_of(network, images.clone(), "cpu", 8) != key
    assert before != key_of(network, images + 1, "cpu", 8)
    with torch.no_grad():
        next(network.model.parameters())[0] += 1
    assert before != key_of(network, images, "cpu", 8)
    record.write_bytes(record.read_bytes()[:-40])
    prepare(recipe(digits))
    assert len(refused) == 2


def test_infinity_in_bf16_alone_is_a_finding(digits, monkeypatch):
    monkeypatch.setenv("FTCLI_CACHE_GB", "0")
    for in_fp32, rules in ((True, ["low-precision-overflows"]), (False, [])):
        effect = Bf16Effect(float("nan"), 32, in_fp32)
        monkeypatch.setattr(bf16_evidence, "effect_of_bf16", lambda *_, effect=effect: effect)
        plan = prepare(recipe(digits)).plan
        assert plan.precision == "fp32"
        assert [finding.rule for finding in plan.findings if finding.where == "train.precision"] == rules


def test_images_that_cannot_be_read_are_passed_over(tmp_path, refused):
    folder = write_digits(tmp_path / "digits")
    for file in sorted(folder.rglob("*.png"))[::2]:
        file.write_bytes(b"no image")
    prepare(recipe(folder))
    assert 0 < refused[0] < 32


def test_a_run_goes_on_in_the_precision_that_it_began_with(digits, tmp_path, monkeypatch):
    made = recipe(digits, train={"epochs": 3, "batch_size": 8})
    run(made, tmp_path / "whole")
    with pytest.raises(Stop):
        run(made, tmp_path / "cut", stop_after(2))
    monkeypatch.setattr(bf16_evidence, "effect_of_bf16", lambda *_: pytest.fail("measured again"))
    run(made, tmp_path / "cut", resume=True)
    assert json.loads((tmp_path / "cut" / "plan.json").read_text())["precision"] == "bf16"
    assert same_bits(tmp_path / "whole", tmp_path / "cut")


def test_a_run_is_evaluated_and_shown_in_its_own_precision(digits, tmp_path, monkeypatch):
    result = run(recipe(digits), tmp_path / "run")
    monkeypatch.setattr("ftcli.engine.placement.cpu_has_bf16", lambda: False)
    assert evaluate(tmp_path / "run")["loss"] == result.test.loss
    shown = inspect_path(tmp_path / "run")
    assert shown.plan.precision == "bf16"
    assert all(finding.rule != "plan-differs" for finding in shown.findings)
