"""Runs with what earlier ones have kept: the same numbers, sooner."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ftcli.engine.images import ImageStore
from ftcli.errors import DataError
from ftcli.events import Noticed
from ftcli.plans.training_plan import Crops
from ftcli.workflows.cache import cache_listing, feature_shelf
from ftcli.workflows.decoded import image_batches
from ftcli.workflows.evaluate import evaluate
from ftcli.workflows.prepare import prepare
from ftcli.workflows.train import train
from tests.toys import ignore, recipe, recorder, write_digits

SHORT = {"epochs": 2, "batch_size": 8}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return write_digits(tmp_path / "digits", per_class=12, classes=3)


def made(folder: Path, **data):  # type: ignore[no-untyped-def]
    return recipe(folder, data={"kind": "folder", "path": str(folder), "image_size": 32, **data}, train=SHORT)


def test_a_run_from_the_cache_is_the_same_run(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bits of its weights: without a cache, filling one, and from it."""
    decoded: list[int] = []
    prepare_one = ImageStore._prepare
    monkeypatch.setattr(ImageStore, "_prepare", lambda self, i: decoded.append(i) or prepare_one(self, i))
    weights, counts = [], []
    for name, allowed in (("without", "0"), ("filling", "1"), ("from", "1")):
        monkeypatch.setenv("FTCLI_CACHE_GB", allowed)
        decoded.clear()
        train(made(folder), out=tmp_path / name, resume=False, listener=ignore)
        weights.append(load_file(tmp_path / name / "best.safetensors"))
        counts.append(len(decoded))
    assert counts == [36, 36, 0]
    without, *others = weights
    assert all(torch.equal(other[name], without[name]) for other in others for name in without)
    decoded.clear()
    evaluate(tmp_path / "from")
    assert not decoded
    (images,) = (item for item in cache_listing().items if item.kind == "images")
    assert images.entries == 36


def test_a_cache_that_cannot_be_written_is_a_finding(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "cache" / "ftcli").mkdir(parents=True)
    (tmp_path / "cache" / "ftcli" / "store").write_text("")
    events, listener = recorder()
    result = train(made(folder), out=tmp_path / "run", resume=False, listener=listener)
    rules = [event.finding.rule for event in events if isinstance(event, Noticed)]
    assert rules.count("cache-unwritable") == 1
    assert "cache-unwritable" in [finding.rule for finding in result.findings]


def test_a_bound_on_pixels_holds_for_what_is_kept(folder: Path, tmp_path: Path) -> None:
    train(made(folder), out=tmp_path / "run", resume=False, listener=ignore)
    with pytest.raises(DataError, match="8 x 8 pixels are more than 63"):
        train(made(folder, max_pixels=63), out=tmp_path / "other", resume=False, listener=ignore)


def test_features_of_deterministic_kernels_are_others(folder: Path) -> None:
    """On CUDA they round otherwise."""
    one = made(folder)
    prepared = prepare(one)
    images = image_batches(one, prepared, lambda done, total: None).store

    def key(deterministic: bool) -> str:
        plan = replace(prepared.plan, deterministic=deterministic)
        shelf = feature_shelf(one, replace(prepared, plan=plan), images)
        assert shelf is not None
        return shelf.key("digest", 1, "train", None)

    assert key(True) == key(True) != key(False)


def test_features_of_views_know_how_their_crops_were_made(folder: Path) -> None:
    one = made(folder)
    prepared = prepare(one)
    images = image_batches(one, prepared, lambda done, total: None).store

    def key(crops: Crops, view: int | None) -> str:
        plan = replace(prepared.plan, crops=crops)
        shelf = feature_shelf(one, replace(prepared, plan=plan), images)
        assert shelf is not None
        return shelf.key("digest", 1, "train", view)

    assert key("image", 0) != key("batch", 0)
    assert key("image", None) == key("batch", None)
