"""The recipe that init writes: it loads, its comments are true settings, and it fits the data."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from ftcli.errors import DataError, RecipeError
from ftcli.planner.training_size import training_size
from ftcli.recipe.load import load_recipe
from ftcli.recipe.schema import Recipe
from ftcli.workflows import init as init_module
from ftcli.workflows.init import init

MakeFolder = Callable[..., Path]


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    def make(count: int, size: tuple[int, int] = (300, 200), mode: str = "RGB", name: str = "pets") -> Path:
        for label in ("cats", "dogs"):
            folder = tmp_path / name / label
            folder.mkdir(parents=True)
            for number in range(count):
                Image.new(mode, size).save(folder / f"{number}.png")
        return tmp_path / name

    return make


def loaded(text: str, tmp_path: Path) -> Recipe:
    (tmp_path / "written.yaml").write_text(text, encoding="utf-8")
    return load_recipe(tmp_path / "written.yaml")


def test_the_recipe_is_valid_and_points_to_the_data(make_folder: MakeFolder, tmp_path: Path) -> None:
    pets = make_folder(20)
    result = init(str(pets), "pets.yaml")
    recipe = loaded(result.text, tmp_path)
    assert recipe.data.kind == "folder"
    assert recipe.data.path == str(pets)
    assert recipe.data.image_size is None
    assert recipe.strategy.kind == "lp_ft"
    assert recipe.train.epochs > recipe.strategy.head_epochs
    assert result.data["counts"] == {"train": 28, "val": 6, "test": 6}
    assert "2 classes, 40 images of 300 x 200 pixels: 28 train, 6 val, 6 test" in result.text
    assert result.next == ("ftcli plan pets.yaml", "ftcli train pets.yaml")
    assert "14 training images a class" in result.text


def test_every_commented_line_is_a_setting_that_would_load(make_folder: MakeFolder, tmp_path: Path) -> None:
    text = init(str(make_folder(20)), "pets.yaml").text
    section, tried = "", 0
    for line in text.splitlines():
        if re.match(r"\w+:", line):
            section = line.split(":")[0]
        setting = re.match(r"(\s*)# (\w+: .*)", line)
        if not setting or setting[2].startswith(("2 classes", "1,000")):
            continue
        values: dict[str, Any] = yaml.safe_load(text)
        (values[section] if setting[1] else values).update(yaml.safe_load(setting[2]))
        loaded(yaml.safe_dump(values), tmp_path)
        tried += 1
    assert tried == 24


@pytest.mark.parametrize(
    ("side", "image_size"), [(8, 64), (28, 128), (32, 128), (48, 192), (49, None), (64, None)]
)
def test_small_images_are_enlarged_fourfold(
    make_folder: MakeFolder, tmp_path: Path, side: int, image_size: int | None
) -> None:
    result = init(str(make_folder(5, (side, side + 9))), "pets.yaml")
    assert loaded(result.text, tmp_path).data.image_size == result.image_size == image_size


@pytest.mark.parametrize(("num_train", "batch_size"), [(14, 16), (1_001, 32), (10_001, 64)])
def test_the_number_of_images_decides_batches_and_epochs(
    make_folder: MakeFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_train: int, batch_size: int
) -> None:
    """As if the folder held so many."""
    monkeypatch.setattr(init_module, "training_size", lambda _: training_size(num_train))
    recipe = loaded(init(str(make_folder(10)), "pets.yaml").text, tmp_path)
    assert recipe.train.batch_size == batch_size


def test_gray_images_are_told(make_folder: MakeFolder) -> None:
    assert "pixels, gray:" in init(str(make_folder(5, mode="L")), "pets.yaml").text
    assert "pixels:" in init(str(make_folder(5, name="colour")), "pets.yaml").text


def test_odd_names_survive(make_folder: MakeFolder, tmp_path: Path) -> None:
    folder = make_folder(5, name='my "pets": # {ü} 🐈 $x \\ \u2028')
    result = init(str(folder), "a b.yaml")
    assert loaded(result.text, tmp_path).data.path == str(folder)
    assert result.next[0] == "ftcli plan 'a b.yaml'"
    with pytest.raises(RecipeError):
        init(str(make_folder(5, name="\x07")), "p.yaml")
    with pytest.raises(RecipeError):
        init(str(folder), "two\nlines: x.yaml")


def test_a_manifest_is_taken_as_such(make_folder: MakeFolder, tmp_path: Path) -> None:
    folder = make_folder(5)
    rows = [f"{path.relative_to(folder)},{path.parent.name}" for path in folder.rglob("*.png")]
    (folder / "all.csv").write_text("\n".join(["file_name,label", *rows]))
    recipe = loaded(init(str(folder / "all.csv"), "pets.yaml").text, tmp_path)
    assert (recipe.data.kind, recipe.data.path) == ("csv", str(folder / "all.csv"))


def test_the_backbone_is_the_one_that_needs_no_download(
    make_folder: MakeFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pets = str(make_folder(5))
    monkeypatch.setattr(init_module, "find_spec", lambda name: object())
    assert loaded(init(pets, "p.yaml").text, tmp_path).model.backbone == "timm/tf_efficientnet_lite0"
    monkeypatch.setattr(init_module, "find_spec", lambda name: None)
    assert loaded(init(pets, "p.yaml").text, tmp_path).model.backbone == "torchvision/resnet18"
    assert loaded(init(pets, "p.yaml", "timm/x").text, tmp_path).model.backbone == "timm/x"
    with pytest.raises(RecipeError) as caught:
        init(pets, "p.yaml", "resnet18")
    assert caught.value.problems[0].path == "model.backbone"


def test_data_that_cannot_be_trained_on_are_told(make_folder: MakeFolder, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        init(str(tmp_path / "gone"), "p.yaml")
    pets = make_folder(5)
    (pets / "cats" / "0.png").write_text("<html>")
    with pytest.raises(DataError, match="cannot read the image"):
        init(str(pets), "p.yaml")
