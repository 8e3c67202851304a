"""Runs on texts: cut off after any step they go on with the same bits, and kept features change none of them."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from ftcli.engine import prefix_cache
from ftcli.engine.asked import Asked
from ftcli.engine.cut import Cut
from ftcli.engine.kept import Kept
from ftcli.engine.onward import goes_on
from ftcli.engine.texts import TextStore
from ftcli.events import Event, Noticed
from ftcli.plans.tokenization import PAD
from ftcli.workflows.decoded import image_batches
from ftcli.workflows.prepare import prepare
from tests.numerics.runs import metrics, run, same_bits
from tests.numerics.test_every_step import Run, cut_everywhere, steps_of
from tests.text_toys import some_texts, text_recipe, write_encoder, write_table

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
            "cache": {"prefix": "off"},
        },
        {
            "strategy": {"kind": "partial", "last_stages": 2},
            "train": {"epochs": 2, "batch_size": 14},
        },
    ],
    ids=["cached features", "gradual, drawn, with dropout", "kept below the pooler"],
)
def test_cut_after_every_step(place: Path, sections: dict[str, Any]) -> None:
    recipe = text_recipe(place, **sections)
    prepared = prepare(recipe)
    batches = image_batches(recipe, prepared, lambda done, total: None)
    whole = Run(prepared, batches, copy.deepcopy(dict(prepared.network.model.state_dict())))
    cut_everywhere(whole, steps_of(whole))


LONG = (3, 30)
"""Words of a text: some batches are 16 tokens wide, some 32."""
KEPT: dict[str, dict[str, Any]] = {
    "features": {"strategy": "feature_extraction"},
    "below an encoder layer, drawn, two batches a step": {
        "strategy": {"kind": "partial", "last_stages": 2},
        "train": {"epochs": 2, "batch_size": 7, "accumulation": 2, "sampler": "balanced"},
    },
    "below each layer in turn": {
        "strategy": {"kind": "gradual", "to_stage": "layer.1"},
        "train": {"epochs": 4, "batch_size": 16},
    },
}


@pytest.fixture(scope="module")
def of_all_lengths(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lengths")
    write_encoder(folder / "encoder", num_hidden_layers=3)
    write_table(folder / "texts.jsonl", some_texts(80, words=LONG))
    return folder


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[pytest.mark.slow] if "in turn" in case else []) for case in KEPT]
)
def test_kept_and_computed_anew_are_the_same_bits(case: str, of_all_lengths: Path, tmp_path: Path) -> None:
    """With dropout above the cut, and in batches that pad a text otherwise than when it was kept."""
    found: list[Event] = []
    for prefix in ("auto", "off"):
        cache = {"prefix": prefix, "disk_gb": 0}
        made = text_recipe(of_all_lengths, cache=cache, **KEPT[case])
        result = run(made, tmp_path / prefix, found.append)
        assert (result.reuse is not None) == (prefix == "auto")
    assert not [e for e in found if isinstance(e, Noticed) and e.finding.rule == "network-not-cut"]
    assert same_bits(tmp_path / "auto", tmp_path / "off")
    assert metrics(tmp_path / "auto") == metrics(tmp_path / "off")
    assert scores(tmp_path / "auto") == scores(tmp_path / "off")


def test_layers_go_on_from_what_is_kept_below_them(
    of_all_lengths: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the disk: the floor's features and what each phase keeps, from what the last phase keeps. Proved on texts of
    all lengths.
    """
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shown: list[Tensor] = []
    streams: list[str] = []

    def spied(upper: Cut, lower: Cut, examples: Tensor) -> bool:
        shown.append(examples)
        return goes_on(upper, lower, examples)

    def noted(asked: Asked, lower: Cut, kept: Kept) -> Asked:
        streams.append(asked.each.name)
        return gone_on_with(asked, lower, kept)

    gone_on_with = Asked.gone_on_with
    monkeypatch.setattr(prefix_cache, "goes_on", spied)
    monkeypatch.setattr(Asked, "gone_on_with", noted)
    case = KEPT["below each layer in turn"]
    run(text_recipe(of_all_lengths, **case), tmp_path / "auto")
    run(text_recipe(of_all_lengths, cache={"prefix": "off"}, **case), tmp_path / "off")
    assert len(shown) > 1
    assert all((tokens == PAD).sum() > 0 for tokens in shown)
    assert streams == ["train", "val"] * len(shown)
    assert same_bits(tmp_path / "auto", tmp_path / "off")
    assert metrics(tmp_path / "auto") == metrics(tmp_path / "off")
    assert scores(tmp_path / "auto") == scores(tmp_path / "off")


def scores(out: Path) -> list[Any]:
    summary = json.loads((out / "summary.json").read_text())
    return [summary[name] for name in ("floor", "ceiling", "val", "test")]


def test_the_next_run_finds_what_this_one_kept(
    of_all_lengths: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = text_recipe(of_all_lengths, **KEPT["below an encoder layer, drawn, two batches a step"])
    cold, warm = run(made, tmp_path / "cold"), run(made, tmp_path / "warm")
    assert cold.reuse is not None
    assert warm.reuse is not None
    assert cold.reuse.computed > warm.reuse.computed == 0
    assert same_bits(tmp_path / "cold", tmp_path / "warm")
    assert scores(tmp_path / "cold") == scores(tmp_path / "warm")


def test_the_plan_tells_how_much_will_be_kept(of_all_lengths: Path) -> None:
    """Of each training text's tokens the 16 numbers that cross the boundary, in fp32: two of three layers below."""
    prepared = prepare(text_recipe(of_all_lengths, strategy={"kind": "partial", "last_stages": 2}))
    assert isinstance(prepared.store, TextStore)
    cost = prepared.plan.phases[0].prefix.cost
    assert cost is not None
    assert cost.share == pytest.approx(2 / 3, abs=0.01)
    assert cost.bytes_per_image == round(prepared.store.facts.mean_length * 16 * 4)
