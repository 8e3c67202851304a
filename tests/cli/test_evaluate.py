"""`ftcli evaluate`: the run's own numbers, from anywhere."""

from __future__ import annotations

import json

import pytest


def test_the_test_scores_are_those_of_the_run(ftcli, toy):
    ended = ftcli("evaluate", toy.run, "--json")
    assert ended.code == 0, ended.err
    told = ended.json
    assert (told["run"], told["split"]) == (str(toy.run), "test")
    assert {key: told[key] for key in toy.summary["test"]} == toy.summary["test"]


def test_relative_paths_in_the_recipe_hold_from_another_directory(ftcli, toy, tmp_path, monkeypatch):
    """The recipe said `digits` and `start.safetensors`."""
    monkeypatch.chdir(tmp_path)
    assert ftcli("evaluate", toy.run, "--json").json["accuracy"] == toy.summary["test"]["accuracy"]
    monkeypatch.chdir(toy.run.parent)
    assert ftcli("evaluate", "toy", "--json").json["accuracy"] == toy.summary["test"]["accuracy"]


@pytest.mark.parametrize("split", ["train", "val"])
def test_another_split(ftcli, toy, split):
    told = ftcli("evaluate", toy.run, "--split", split, "--json").json
    assert (told["split"], told["num_examples"]) == (split, len(toy.images(split)))
    if split == "val":
        epochs = [json.loads(line) for line in (toy.run / "metrics.jsonl").read_text().splitlines()]
        assert told["accuracy"] == epochs[toy.summary["best_epoch"]]["val"]["accuracy"]


def test_every_class_by_name(ftcli, toy):
    told = ftcli("evaluate", toy.run, "--json").json
    classes = told["per_class"]
    assert [each["class"] for each in classes] == toy.summary["classes"]
    assert sum(each["support"] for each in classes) == told["num_examples"]
    right = sum(each["recall"] * each["support"] for each in classes)
    assert right / told["num_examples"] == pytest.approx(told["accuracy"])


def test_as_a_page(ftcli, toy, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    ended = ftcli("evaluate", toy.run)
    assert ended.code == 0
    run, *lines = ended.out.splitlines()
    assert run == f"run: {toy.run}"
    assert f"accuracy  {toy.summary['test']['accuracy']:.1%}" in ended.out
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in ended.out


def test_in_the_precision_of_the_run(ftcli, place):
    """bf16 gives other logits than fp32: the loss tells which of them was used."""
    changes = ("strategy=full", "train.epochs=1", "model.weights=none", "train.precision=bf16")
    told = ftcli("train", "toy.yaml", "--json", *(part for c in changes for part in ("--set", c))).json
    assert ftcli("evaluate", "runs/toy", "--json").json["loss"] == told["test"]["loss"]
    recipe = place / "runs" / "toy" / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("precision: bf16", "precision: fp32"))
    assert ftcli("evaluate", "runs/toy", "--json").json["loss"] != told["test"]["loss"]


def test_a_run_that_has_moved(ftcli, toy, tmp_path):
    import shutil

    moved = shutil.copytree(toy.run, tmp_path / "moved")
    assert ftcli("evaluate", moved, "--json").json["accuracy"] == toy.summary["test"]["accuracy"]


def test_the_full_report(ftcli, toy):
    told = ftcli("evaluate", toy.run, "--json").json
    assert {key: told[key] for key in toy.summary["test_report"]} == toy.summary["test_report"]
    means = {"accuracy", "balanced_accuracy", "macro_precision", "macro_recall", "macro_f1", "ece"}
    assert set(told["intervals"]) - {"auroc"} == means
    assert "calibration" not in told


def test_calibration_is_told_and_changes_no_other_number(ftcli, toy):
    plain = ftcli("evaluate", toy.run, "--json").json
    told = ftcli("evaluate", toy.run, "--calibrate", "--json").json
    calibration = told.pop("calibration")
    assert told == plain
    assert calibration["temperature"] > 0
    assert calibration["fitted_on"] == "val"
    assert calibration["ece_before"] == plain["ece"]
    assert calibration["loss_before"] == plain["loss"]
    page = ftcli("evaluate", toy.run, "--calibrate").out
    assert "fitted on val: ECE" in " ".join(page.split())
    count = len(toy.images("val"))
    assert calibration["num_fitted_on"] == count
    assert f"fitted on {count} validation examples, fewer than 200" in calibration["caution"]
    assert f"caution fitted on {count} validation examples, fewer than 200" in " ".join(page.split())


def test_enough_images_need_no_caution():
    from ftcli.workflows.evaluate import _caution

    assert _caution(199)
    assert _caution(200) is None


def test_a_temperature_is_not_judged_on_what_it_was_fitted_on(ftcli, toy):
    ended = ftcli("evaluate", toy.run, "--calibrate", "--split", "val")
    assert ended.code == 2
    assert "cannot be judged on val" in ended.err
