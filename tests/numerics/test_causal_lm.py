"""Runs on a corpus: cut off after any step they go on with the same bits, and kept features change none of them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ftcli.workflows.decoded import image_batches
from ftcli.workflows.prepare import prepare
from ftcli.workflows.train import train
from tests.corpus_toys import corpus_recipe, write_corpus, write_decoder
from tests.numerics.test_every_step import Run, cut_everywhere, steps_of
from tests.toys import ignore

pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write_decoder(folder / "decoder")
    write_decoder(folder / "untied", "llama")
    write_corpus(folder / "corpus", documents=12, words=30)
    return folder


@pytest.mark.parametrize(
    ("decoder", "sections"),
    [
        ("untied", {"strategy": "feature_extraction", "train": {"epochs": 2, "batch_size": 6}}),
        (
            "decoder",
            {
                "strategy": {"kind": "gradual", "to_stage": "stem"},
                "train": {"epochs": 4, "batch_size": 4, "accumulation": 2},
            },
        ),
    ],
    ids=["cached features", "gradual to the tied embedding, with dropout"],
)
def test_cut_after_every_step(place: Path, decoder: str, sections: dict[str, Any]) -> None:
    recipe = corpus_recipe(place, model={"backbone": f"hf/{place / decoder}"}, **sections)
    prepared = prepare(recipe)
    batches = image_batches(recipe, prepared, lambda done, total: None)
    run = Run(prepared, batches, copy.deepcopy(dict(prepared.network.model.state_dict())))
    cut_everywhere(run, steps_of(run))


def weights(place: Path, out: Path, **sections: Any) -> dict[str, torch.Tensor]:
    recipe = corpus_recipe(place, model={"backbone": f"hf/{place / 'untied'}"}, **sections)
    train(recipe, out=out, resume=False, listener=ignore)
    return load_file(out / "best.safetensors")


def test_kept_features_give_the_same_bits(place: Path, tmp_path: Path) -> None:
    kept, computed = (
        weights(
            place, tmp_path / prefix, strategy="feature_extraction", cache={"prefix": prefix, "disk_gb": 0}
        )
        for prefix in ("auto", "off")
    )
    assert [name for name in kept if not torch.equal(kept[name], computed[name])] == []


def test_a_run_that_is_repeated_has_the_same_bits(place: Path, tmp_path: Path) -> None:
    model = {"backbone": "hf/gpt2", "config": {"vocab_size": 290, "n_embd": 8, "n_layer": 1, "n_head": 2}}
    both = []
    for name in ("one", "other"):
        made = corpus_recipe(place, model=model, strategy="scratch", train={"epochs": 1, "batch_size": 8})
        train(made, out=tmp_path / name, resume=False, listener=ignore)
        both.append((tmp_path / name / "best.safetensors").read_bytes())
    assert both[0] == both[1], "the learned tokenizer among it"
