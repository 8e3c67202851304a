"""The old classifier on its own kind of images: digits 0 to 3, before and after training on 4 to 7."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from safetensors.torch import load_file

from ftcli.errors import DataError, RecipeError
from ftcli.recipe.load import recipe_from
from ftcli.recipe.schema import Recipe
from ftcli.report.html.page import report_page
from ftcli.workflows.absolute_paths import with_absolute_paths
from ftcli.workflows.report_run import read_run
from ftcli.workflows.result import TrainResult
from ftcli.workflows.saved_model import load_saved
from tests.numerics.runs import Stop, metrics, run, same_bits, stop_after
from tests.toys import digit_images, recipe

CLASSES = 4


def write(folder: Path, digits: range, start: int, count: int) -> Path:
    images, labels = digit_images()
    for digit in digits:
        (folder / f"digit {digit}").mkdir(parents=True)
        for number, image in enumerate(images[labels == digit][start : start + count]):
            Image.fromarray(image).save(folder / f"digit {digit}" / f"{number:03}.png")
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """old/ and new/ images, `seen` of the old kind that nothing learned from, and run/ that learned the old."""
    place = tmp_path_factory.mktemp("forgetting")
    write(place / "old", range(CLASSES), 0, 40)
    write(place / "seen", range(CLASSES), 100, 15)
    write(place / "new", range(4, 8), 0, 20)
    lr = {"kind": "adamw", "lr": 0.01}
    run(recipe(place / "old", optimizer=lr, train={"epochs": 6, "batch_size": 8}), place / "run")
    return place


def asking(place: Path, **sections: Any) -> Recipe:
    model = {"backbone": "timm/test_resnet", "weights": str(place / "run" / "best.safetensors")}
    train = {"epochs": 3, "batch_size": 8}
    fast = {"optimizer": {"kind": "adamw", "lr": 0.03}, "layer_lr": "uniform"}
    asked = {"forgetting": {"path": str(place / "seen")}}
    return recipe(place / "new", **{"model": model, "train": train, **fast, **asked, **sections})


@pytest.fixture(scope="module")
def measured(place: Path) -> TrainResult:
    return run(asking(place), place / "measured")


def accuracy(state: Path | None, place: Path) -> float:
    """Of the old run's model, with the backbone of another file where one is given; one image at a time."""
    model = load_saved(place / "run")
    if state is not None:
        backbone = {name: t for name, t in load_file(state).items() if not name.startswith("fc.")}
        model.module.load_state_dict(backbone, strict=False)
    files = sorted((place / "seen").rglob("*.png"))
    said = [model.probabilities([Image.open(file)]).argmax().item() for file in files]
    return sum(model.classes[int(s)] == f.parent.name for s, f in zip(said, files, strict=True)) / len(files)


def test_the_numbers_are_those_of_the_old_head_on_either_backbone(measured: TrainResult, place: Path) -> None:
    found = measured.forgetting
    assert found is not None
    assert (found.num_images, found.num_classes) == (60, CLASSES)
    assert found.before == accuracy(None, place) > 0.6, "it had learned something"
    assert found.after == accuracy(place / "measured" / "best.safetensors", place) < found.before
    assert found.lost - found.gained == round(60 * (found.before - found.after))


def test_a_fall_beyond_chance_is_a_finding(measured: TrainResult) -> None:
    assert measured.forgetting is not None
    assert measured.forgetting.is_sure
    (finding,) = [finding for finding in measured.findings if finding.rule == "forgot"]
    assert "layer_lr: {kind: discriminative" in finding.remedy


def test_training_is_the_same_in_every_bit(measured: TrainResult, place: Path) -> None:
    plain = run(asking(place, forgetting=None), place / "plain")
    assert plain.forgetting is None
    assert same_bits(place / "plain", place / "measured")
    assert metrics(place / "plain") == metrics(place / "measured")
    assert plain.findings == tuple(f for f in measured.findings if f.rule != "forgot")
    assert (plain.test, plain.drift) == (measured.test, measured.drift)
    predicted = [(place / name / "test_predictions.csv").read_text() for name in ("plain", "measured")]
    assert predicted[0] == predicted[1]


def test_a_run_that_goes_on_measures_the_same(measured: TrainResult, place: Path) -> None:
    with pytest.raises(Stop):
        run(asking(place), place / "cut", stop_after(2))
    resumed = run(asking(place), place / "cut", resume=True)
    assert resumed.forgetting == measured.forgetting
    assert resumed.findings == measured.findings


def test_it_is_kept_and_shown(measured: TrainResult, place: Path) -> None:
    kept = json.loads((place / "measured" / "summary.json").read_text())["forgetting"]
    assert measured.forgetting is not None
    assert kept == vars(measured.forgetting)
    again = run(asking(place), place / "measured", resume=True)
    assert again.forgetting == measured.forgetting
    page = report_page(read_run(place / "measured"))
    assert "What was forgotten" in page
    assert f">{measured.forgetting.before:.1%}<" in page


def test_a_frozen_backbone_forgets_nothing(place: Path) -> None:
    made = asking(place, strategy="feature_extraction", train={"epochs": 1, "batch_size": 8}, layer_lr=None)
    found = run(made, place / "frozen").forgetting
    assert found is not None
    assert (found.before, found.lost, found.gained) == (found.after, 0, 0)


def test_the_first_network_is_the_published_one_even_where_norms_are_exchanged(place: Path) -> None:
    made = asking(place, norm="group_norm", train={"epochs": 1, "batch_size": 8})
    found = run(made, place / "group norm").forgetting
    assert found is not None
    assert found.before == accuracy(None, place)


def test_a_folder_of_no_such_class_is_refused_before_anything_is_written(place: Path, tmp_path: Path) -> None:
    write(tmp_path / "images", range(1), 100, 2)
    (tmp_path / "images" / "digit 0").rename(tmp_path / "images" / "digitt 0")
    with pytest.raises(DataError, match=r"'digitt 0' \(nearest: digit 0"):
        run(asking(place, forgetting={"path": str(tmp_path / "images")}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_random_weights_have_forgotten_nothing() -> None:
    model = {"backbone": "timm/test_resnet"}
    content = {"data": "digits", "model": model, "forgetting": {"path": "seen"}}
    for random in ({"strategy": "scratch"}, {"strategy": "full", "model": {**model, "weights": "none"}}):
        with pytest.raises(RecipeError, match="a problem") as caught:
            recipe_from({**content, **random})
        assert "nothing that could be forgotten" in caught.value.problems[0].message


def test_texts_are_not_looked_at() -> None:
    content = {
        "data": {"kind": "text_folder", "path": "mail"},
        "model": {"backbone": "hf/bert"},
        "strategy": "full",
    }
    with pytest.raises(RecipeError) as caught:
        recipe_from({**content, "task": "text_classification", "forgetting": {"path": "seen"}})
    assert "on images alone" in caught.value.problems[0].message


def test_the_run_keeps_where_the_images_are(
    measured: TrainResult, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    kept = with_absolute_paths(asking(place, forgetting={"path": "seen"}))
    assert kept == with_absolute_paths(asking(place)) == read_run(place / "measured").recipe
