"""Runs on texts: cut off after any step they go on with the same bits, and kept features change none of them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ftcli.workflows.prepare import image_batches, prepare
from ftcli.workflows.train import train
from tests.numerics.test_every_step import Run, cut_everywhere, steps_of
from tests.text_toys import some_texts, text_recipe, write_encoder, write_table
from tests.toys import ignore

pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    write_encoder(folder / "encoder")
    write_table(folder / "texts.jsonl", some_texts(60))
    return folder


@pytest.mark.parametrize(
    "sections",
    [
        {"strategy": "feature_extraction", "train": {"epochs": 2, "batch_size": 14}},
        {
            "strategy": {"kind": "gradual", "to_stage": "layer.0"},
            "train": {"epochs": 4, "batch_size": 16, "accumulation": 2, "sampler": "balanced"},
        },
    ],
    ids=["cached features", "gradual, drawn, with dropout"],
)
def test_cut_after_every_step(place: Path, sections: dict[str, Any]) -> None:
    recipe = text_recipe(place, **sections)
    prepared = prepare(recipe)
    batches = image_batches(recipe, prepared, lambda done, total: None)
    run = Run(prepared, batches, copy.deepcopy(dict(prepared.network.model.state_dict())))
    cut_everywhere(run, steps_of(run))


def weights(place: Path, out: Path, prefix: str) -> dict[str, torch.Tensor]:
    cache = {"prefix": prefix, "disk_gb": 0}
    train(
        text_recipe(place, strategy="feature_extraction", cache=cache),
        out=out,
        resume=False,
        listener=ignore,
    )
    return load_file(out / "best.safetensors")


def test_kept_features_give_the_same_bits_where_texts_are_equally_long(place: Path, tmp_path: Path) -> None:
    write_encoder(tmp_path / "encoder")
    write_table(tmp_path / "texts.jsonl", some_texts(60, words=(6, 6)))
    kept, computed = (weights(tmp_path, tmp_path / prefix, prefix) for prefix in ("auto", "off"))
    assert [name for name in kept if not torch.equal(kept[name], computed[name])] == []


def test_kept_features_differ_in_roundings_where_batches_pad_otherwise(place: Path, tmp_path: Path) -> None:
    kept, computed = (weights(place, tmp_path / prefix, prefix) for prefix in ("auto", "off"))
    for name in kept:
        torch.testing.assert_close(kept[name], computed[name], rtol=1e-4, atol=1e-5)
