"""LoRA on language models, from run to plain libraries: trained, kept below, folded, gone on with."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ftcli.engine.generate import Drawing
from ftcli.recipe.schema import Recipe
from ftcli.workflows.evaluate import evaluate
from ftcli.workflows.generate import generate
from ftcli.workflows.merge import merge
from ftcli.workflows.open_network import open_network
from ftcli.workflows.prepare import prepare
from ftcli.workflows.saved_model import load_saved
from tests.corpus_toys import VOCABULARY, corpus_recipe, write_corpus, write_decoder
from tests.numerics.runs import metrics, run, same_bits

peft = pytest.importorskip("peft")
transformers = pytest.importorskip("transformers")

DECODERS = ("gpt2", "llama")
PROMPT = "ba be bi"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for which in DECODERS:
        write_decoder(folder / which, which)
    write_corpus(folder / "corpus", documents=12, words=30)
    return folder


def lora(place: Path, which: str, *, prefix: str = "auto", **strategy: Any) -> Recipe:
    return corpus_recipe(
        place,
        model={"backbone": f"hf/{place / which}"},
        strategy={"kind": "lora", "rank": 4, "alpha": 32, **strategy},
        cache={"prefix": prefix, "disk_gb": 0},
        optimizer={"lr": 3e-2},
    )


@pytest.fixture(scope="module")
def runs(place: Path) -> Callable[[str], Path]:
    """A run of each, made once."""

    def made(which: str) -> Path:
        out = place / f"{which}-run"
        if not out.exists():
            run(lora(place, which), out)
        return out

    return made


def some_tokens() -> torch.Tensor:
    return torch.randint(
        0, VOCABULARY, (3, 16), generator=torch.Generator().manual_seed(2), dtype=torch.int32
    )


@pytest.mark.parametrize("which", DECODERS)
def test_adapters_and_head_move_and_nothing_else(
    which: str, place: Path, runs: Callable[[str], Path]
) -> None:
    out, network = runs(which), open_network(lora(place, which), 1)
    before, after = network.model.state_dict(), load_file(out / "best.safetensors")
    meant = {p.name for p in network.layer_map.parameters if p.is_adapter or p.stage == "head"}
    assert {name for name in after if not torch.equal(before[name], after[name])} == meant
    said = json.loads((out / "summary.json").read_text())
    assert said["frozen"]["changed"] == 0
    assert said["ceiling"]["perplexity"] < said["floor"]["perplexity"]


@pytest.mark.parametrize("which", DECODERS)
def test_plain_peft_loads_what_trained_and_no_more(
    which: str, place: Path, runs: Callable[[str], Path]
) -> None:
    """Of a tied projection onto the vocabulary nothing: it is the embedding, and stays as it was."""
    out = runs(which)
    saved = load_saved(out)
    meant = {p.name for p in saved.network.layer_map.parameters if p.is_adapter or p.stage == "head"}
    there = {
        name.removeprefix("base_model.model.")
        for name in load_file(out / "adapter" / "adapter_model.safetensors")
    }
    assert there == {name.replace(".default.", ".") for name in meant}
    with warnings.catch_warnings():  # PEFT's of transformers
        warnings.simplefilter("ignore")
        base = transformers.AutoModelForCausalLM.from_pretrained(place / which)
        loaded = peft.PeftModel.from_pretrained(base, str(out / "adapter")).eval()
    with torch.no_grad():
        found = loaded(input_ids=some_tokens().long()).logits
        torch.testing.assert_close(found, saved.forward(some_tokens()), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("which", DECODERS)
def test_folded_it_is_a_language_model_of_transformers(
    which: str, runs: Callable[[str], Path], tmp_path: Path
) -> None:
    """Whole rows of logits are compared, and both say the same."""
    from tokenizers import Tokenizer

    out = runs(which)
    merged = merge(out, tmp_path / "folded")
    assert merged.parity.num_inputs == json.loads((out / "summary.json").read_text())["val"]["num_examples"]
    assert 0 < merged.parity.relative < 1e-5
    assert merged.parity.other_predictions == 0
    apart = load_saved(out)
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "folded").eval()
    with torch.no_grad():
        found = model(some_tokens().long()).logits
        torch.testing.assert_close(found, apart.forward(some_tokens()), rtol=1e-4, atol=1e-5)
    tokenizer = Tokenizer.from_file(str(tmp_path / "folded" / "tokenizer.json"))
    ids = torch.tensor([tokenizer.encode(PROMPT).ids])
    (mine,) = generate(out, [PROMPT], Drawing(max_tokens=5))
    theirs = model.generate(ids, max_new_tokens=5, do_sample=False, pad_token_id=0)[0, ids.shape[1] :]
    assert tokenizer.decode(theirs.tolist()).split() == mine.text.split()


@pytest.mark.parametrize("which", DECODERS)
def test_a_folded_file_scores_as_the_run(which: str, runs: Callable[[str], Path], tmp_path: Path) -> None:
    out = runs(which)
    merge(out, tmp_path / "folded.safetensors")
    (apart,) = generate(out, [PROMPT], Drawing(max_tokens=5))
    (folded,) = generate(tmp_path / "folded.safetensors", [PROMPT], Drawing(max_tokens=5))
    assert folded.text == apart.text
    assert evaluate(out)["perplexity"] == json.loads((out / "summary.json").read_text())["test"]["perplexity"]


@pytest.mark.parametrize("which", DECODERS)
def test_from_a_stage_on_the_frozen_bottom_is_computed_once(which: str, place: Path, tmp_path: Path) -> None:
    (phase,) = prepare(lora(place, which, from_stage="layer.1")).plan.phases
    assert phase.prefix.kept
    result = run(lora(place, which, from_stage="layer.1"), tmp_path / "kept")
    assert result.reuse is not None
    run(lora(place, which, from_stage="layer.1", prefix="off"), tmp_path / "anew")
    assert same_bits(tmp_path / "kept", tmp_path / "anew")
    assert metrics(tmp_path / "kept") == metrics(tmp_path / "anew")
