"""Runs that train virtual tokens: what moves, what they are compared with, how they are used."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ftcli.engine.any_model import MappedModel
from ftcli.engine.freeze import apply_mask, enter_train_mode
from ftcli.engine.generate import Drawing
from ftcli.engine.live_facts import live_facts
from ftcli.engine.network import Network
from ftcli.engine.optimize import build_optimizer
from ftcli.engine.run_folder import RunFolder
from ftcli.errors import RecipeError, UsageError
from ftcli.plans.freeze_facts import FreezeFacts, plan_facts
from ftcli.plans.phase import Phase
from ftcli.plans.training_plan import TrainingPlan
from ftcli.recipe.schema import Recipe
from ftcli.workflows.evaluate import evaluate
from ftcli.workflows.generate import generate
from ftcli.workflows.merge import merge
from ftcli.workflows.open_network import open_network
from ftcli.workflows.predict import predict
from ftcli.workflows.prepare import prepare
from ftcli.workflows.saved_model import load_saved
from tests.corpus_toys import corpus_recipe, write_corpus, write_decoder
from tests.numerics.runs import Stop, metrics, run, same_bits, stop_after
from tests.numerics.test_plan_is_what_happens import comparable
from tests.text_toys import some_texts, text_recipe, write_encoder, write_table
from tests.workflows.test_merge import assert_same_texts

peft = pytest.importorskip("peft")
transformers = pytest.importorskip("transformers")

KINDS = ("prompt_tuning", "prefix_tuning")
VIRTUAL = "prompt_encoder.default.embedding.weight"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_encoder(folder / "encoder")
    write_table(folder / "texts.jsonl", some_texts(60))
    write_decoder(folder / "decoder")
    write_corpus(folder / "corpus", documents=12, words=30)
    return folder


def of_texts(place: Path, strategy: Any, **sections: Any) -> Recipe:
    return text_recipe(place, strategy=strategy, **sections)


def of_corpus(place: Path, strategy: Any, **sections: Any) -> Recipe:
    return corpus_recipe(place, strategy=strategy, **{"train": {"epochs": 1, "batch_size": 8}, **sections})


Runs = Callable[[Callable[..., Recipe], str], Path]


@pytest.fixture(scope="module")
def runs(place: Path) -> Runs:
    """A run of each recipe and strategy, made once."""

    def made(recipe: Callable[..., Recipe], kind: str) -> Path:
        out = place / f"{recipe.__name__}-{kind}"
        if not out.exists():
            run(recipe(place, {"kind": kind, **({"tokens": 6} if kind in KINDS else {})}), out)
        return out

    return made


def summary_of(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RunFolder(out).summary.read_text())
    return found


@pytest.mark.parametrize("recipe", [of_texts, of_corpus])
@pytest.mark.parametrize("kind", KINDS)
def test_they_and_the_head_move_and_nothing_else(
    kind: str, recipe: Callable[..., Recipe], place: Path, runs: Runs
) -> None:
    out = runs(recipe, kind)
    network = open_network(recipe(place, {"kind": kind, "tokens": 6}), 2)
    before, after = network.model.state_dict(), load_file(out / "best.safetensors")
    assert before.keys() == after.keys()
    moved = {name for name in after if not torch.equal(before[name], after[name])}
    assert moved == {VIRTUAL, *(p.name for p in network.layer_map.in_stages(["head"]))}
    frozen = summary_of(out)["frozen"]
    assert frozen["changed"] == 0
    assert frozen["checked"] >= len(after) - len(moved)


@pytest.mark.parametrize("recipe", [of_texts, of_corpus])
@pytest.mark.parametrize("kind", KINDS)
def test_what_they_are_compared_with_has_none(kind: str, recipe: Callable[..., Recipe], runs: Runs) -> None:
    """Linear probe and perplexity before are those of any other strategy: tokens that know nothing would lower them."""
    mine, theirs = summary_of(runs(recipe, kind)), summary_of(runs(recipe, "bitfit"))
    assert mine["floor"] == theirs["floor"]
    assert [s["before"] for s in mine["samples"]] == [s["before"] for s in theirs["samples"]]


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_of_texts_is_used_as_any_other(kind: str, place: Path, runs: Runs, tmp_path: Path) -> None:
    out = runs(of_texts, kind)
    found = summary_of(out)["test"]
    assert {key: evaluate(out)[key] for key in ("accuracy", "loss")} == {
        key: found[key] for key in ("accuracy", "loss")
    }
    assert predict(out, ["ba da fa"])[0].label in {"first", "second"}
    with pytest.raises(UsageError, match="cannot be folded into weights"):
        merge(out, tmp_path / "folded.safetensors")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_plain_peft_loads_them_and_the_head(kind: str, place: Path, runs: Runs) -> None:
    out = runs(of_texts, kind)
    with warnings.catch_warnings():  # PEFT's of transformers
        warnings.simplefilter("ignore")
        base = transformers.AutoModelForSequenceClassification.from_pretrained(
            place / "encoder", num_labels=2
        )
        loaded = peft.PeftModel.from_pretrained(base, str(out / "adapter"))
    assert_same_texts(loaded, load_saved(out))
    said = json.loads((out / "adapter" / "adapter_config.json").read_text())
    assert (said["peft_type"], said["modules_to_save"]) == (kind.upper(), ["classifier"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_language_model_goes_on_behind_them_in_plain_peft_too(kind: str, place: Path, runs: Runs) -> None:
    out = runs(of_corpus, kind)
    saved = load_saved(out)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        base = transformers.AutoModelForCausalLM.from_pretrained(place / "decoder")
        loaded = peft.PeftModel.from_pretrained(base, str(out / "adapter")).eval()
    prompt = saved.tokenizer.encode(["ba be bi"])[0].tokens[None].long()
    with torch.no_grad():
        theirs = loaded(input_ids=prompt).logits[:, -prompt.shape[1] :]
        mine = saved.forward(prompt.int())
    torch.testing.assert_close(theirs, mine, rtol=1e-5, atol=1e-5)
    assert mine.shape[1] == prompt.shape[1]
    assert evaluate(out)["perplexity"] == summary_of(out)["test"]["perplexity"]
    assert generate(out, ["ba be bi"], Drawing(max_tokens=4))[0].text


@pytest.mark.parametrize("kind", KINDS)
def test_resumed_equals_uninterrupted(kind: str, place: Path, runs: Runs, tmp_path: Path) -> None:
    made = of_texts(place, {"kind": kind, "tokens": 6})
    with pytest.raises(Stop):
        run(made, tmp_path / "cut", stop_after(1))
    run(made, tmp_path / "cut", resume=True)
    assert same_bits(runs(of_texts, kind), tmp_path / "cut")
    assert metrics(runs(of_texts, kind)) == metrics(tmp_path / "cut")


@pytest.mark.parametrize("kind", KINDS)
def test_the_plan(kind: str, place: Path) -> None:
    """They are a stage with an LR, nothing is below them to be computed once, and the plan is what happens."""
    prepared = prepare(of_texts(place, {"kind": kind, "tokens": 6}))
    (phase,) = prepared.plan.phases
    assert {group.stage for group in phase.groups} == {"virtual_tokens", "head"}
    assert (phase.prefix.boundary, phase.prefix.kept) == (0, False)
    assert [finding for finding in prepared.plan.findings if finding.severity != "info"] == []
    (facts,) = plan_facts(prepared.plan)
    found = found_in(prepared.network, prepared.plan, phase)
    assert comparable(found) == comparable(facts)
    assert not any(drop.active for drop in found.dropouts if drop.layer not in phase.train_layers)


def found_in(network: Network, plan: TrainingPlan, phase: Phase) -> FreezeFacts:
    """What the inspector sees in the network and the optimizer that perform it."""
    apply_mask(network.model, phase.mask)
    enter_train_mode(network, phase)
    mapped = MappedModel(network.model, "", network.layer_map, network.module_layers)
    return live_facts(network.model, (build_optimizer(network.model, phase, plan.optimizer),), mapped)


def test_a_length_that_leaves_them_no_places(place: Path) -> None:
    data = {"kind": "text_csv", "path": str(place / "texts.jsonl"), "max_length": 40}
    with pytest.raises(RecipeError) as caught:
        prepare(of_texts(place, {"kind": "prompt_tuning", "tokens": 6}, data=data))
    (problem,) = caught.value.problems
    assert (problem.path, problem.remedy) == ("data.max_length", "at most 34, or fewer strategy.tokens")
