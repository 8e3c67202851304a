"""`ftcli predict`: what a trained model says of images."""

from __future__ import annotations

import shlex
import shutil

import pytest
from PIL import Image


def test_probabilities_sum_to_one(ftcli, toy):
    """There are three classes, so that `top` holds all of them."""
    image = toy.images("test")[0]
    ended = ftcli("predict", toy.run, image, "--json")
    assert ended.code == 0, ended.err
    (told,) = ended.json
    assert told["image"] == str(image)
    assert sorted(top["label"] for top in told["top"]) == toy.summary["classes"]
    assert sum(top["probability"] for top in told["top"]) == pytest.approx(1)
    assert told["top"] == sorted(told["top"], key=lambda top: -top["probability"])
    assert {key: told[key] for key in ("label", "probability")} == told["top"][0]


def test_it_says_what_evaluate_says(ftcli, toy):
    """Class by class: the share of the test images that get their own label."""
    images = toy.images("test")
    predicted = {told["image"]: told["label"] for told in ftcli("predict", toy.run, *images, "--json").json}
    for each in ftcli("evaluate", toy.run, "--json").json["per_class"]:
        own = [str(image) for image in images if image.parent.name == each["class"]]
        assert len(own) == each["support"]
        assert sum(predicted[image] == each["class"] for image in own) == round(each["recall"] * len(own))
    assert len(set(predicted.values())) > 1


def test_an_image_has_the_same_answer_alone_and_among_others(ftcli, toy):
    images = (toy.images("train") * 2)[:40]
    together = ftcli("predict", toy.run, *images, "--json").json
    assert [told["image"] for told in together] == [str(image) for image in images]
    for at in (0, 31, 32, 39):
        (alone,) = ftcli("predict", toy.run, images[at], "--json").json
        assert alone["label"] == together[at]["label"]
        assert alone["probability"] == pytest.approx(together[at]["probability"], abs=1e-5)


def test_of_any_size_and_mode(ftcli, toy, tmp_path):
    sizes = {"L": (8, 8), "RGB": (300, 40), "RGBA": (5, 90), "P": (33, 33), "1": (1, 1)}
    for mode, size in sizes.items():
        Image.new(mode, size).save(tmp_path / f"{mode}.png")
    ended = ftcli("predict", toy.run, *sorted(tmp_path.glob("*.png")), "--json")
    assert ended.code == 0, ended.err
    assert len(ended.json) == len(sizes)


def test_a_moved_run_needs_neither_its_data_nor_its_weights(ftcli, toy, tmp_path, monkeypatch):
    image = shutil.copy(toy.images("test")[0], tmp_path / "image.png")
    (before,) = ftcli("predict", toy.run, image, "--json").json
    moved = shutil.copytree(toy.run, tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    away = toy.path.rename(tmp_path / "away")
    try:
        (after,) = ftcli("predict", "moved", image, "--json").json
        (of_file,) = ftcli("predict", moved / "best.safetensors", image, "--json").json
    finally:
        away.rename(toy.path)
    assert before == after == of_file


def test_nothing_but_the_model_file_is_needed(ftcli, toy, tmp_path):
    image = toy.images("test")[0]
    shutil.copy(toy.run / "best.safetensors", tmp_path / "best.safetensors")
    assert ftcli("predict", tmp_path, image, "--json").json == ftcli("predict", toy.run, image, "--json").json


def test_the_command_that_train_prints_works_as_it_stands(ftcli, toy, monkeypatch):
    """`digit 0` has a space in it."""
    monkeypatch.chdir(toy.path)
    program, command, run, image = shlex.split(toy.summary["predict_command"])
    assert (program, command, run) == ("ftcli", "predict", "runs/toy")
    assert toy.path / image in toy.images("test")
    ended = ftcli(command, run, image)
    assert ended.code == 0
    assert ended.out.endswith(f"  {image}\n")


def test_it_works_for_data_that_has_no_files(ftcli, place):
    """A test image is then saved beside the model."""
    (place / "built-in.yaml").write_text(
        "data: {kind: digits, image_size: 16, split: {val: 0.1, test: 0.8}}\n"
        "model: {backbone: timm/test_resnet, weights: none}\n"
        "strategy: feature_extraction\ntrain: {epochs: 1}\nruntime: {device: cpu}\n"
    )
    ended = ftcli("train", "built-in.yaml", "--json")
    assert ended.code == 0, ended.err
    assert ftcli(*shlex.split(ended.json["predict_command"])[1:]).code == 0


def test_as_lines(ftcli, toy):
    images = toy.images("test")[:2]
    ended = ftcli("predict", toy.run, *images)
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert all(line.endswith(f"  {image}") for line, image in zip(lines, images, strict=True))
    assert all(line.startswith("digit ") and "%" in line for line in lines)
