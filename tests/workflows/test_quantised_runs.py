"""Runs of LoRA on a base in 4 bits: what moves, what is said, where they go on, and what others can open."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ftcli.engine.proof import changed, digests
from ftcli.engine.quantised_base import packed_layers
from ftcli.errors import RecipeError
from ftcli.plans.tokenization import PAD
from ftcli.recipe.schema import Recipe
from ftcli.workflows.evaluate import evaluate
from ftcli.workflows.inspect import inspect_recipe
from ftcli.workflows.merge import merge
from ftcli.workflows.open_network import open_network
from ftcli.workflows.prepare import prepare
from ftcli.workflows.saved_model import load_saved
from ftcli.workflows.train_folds import train_folds
from tests.corpus_toys import corpus_recipe, write_corpus, write_decoder
from tests.numerics.runs import Stop, metrics, run, same_bits, stop_after
from tests.text_models import some_tokens
from tests.text_toys import some_texts, text_recipe, write_encoder, write_table
from tests.toys import ignore

pytest.importorskip("peft")
pytest.importorskip("bitsandbytes")

LORA: dict[str, Any] = {"kind": "lora", "rank": 4, "alpha": 32, "quantize": "nf4"}
KINDS = ("bert", "llama")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_encoder(folder / "encoder", hidden_size=64, intermediate_size=128)
    write_table(folder / "texts.jsonl", some_texts(60))
    write_decoder(folder / "llama", "llama", hidden_size=64, intermediate_size=128)
    write_corpus(folder / "corpus", documents=12, words=30)
    return folder


def made_for(kind: str, place: Path, *, epochs: int = 2, prefix: str = "auto", **strategy: Any) -> Recipe:
    cache = {"prefix": prefix, "disk_gb": 0}
    if kind == "bert":
        train = {"epochs": epochs, "batch_size": 16}
        return text_recipe(place, strategy={**LORA, **strategy}, cache=cache, train=train)
    model, lr = {"backbone": f"hf/{place / 'llama'}"}, {"lr": 3e-2}
    return corpus_recipe(place, model=model, strategy={**LORA, **strategy}, cache=cache, optimizer=lr)


@pytest.fixture(scope="module")
def runs(place: Path) -> Callable[[str], Path]:
    """A run of each, made once."""

    def made(kind: str) -> Path:
        out = place / f"{kind}-run"
        if not out.exists():
            run(made_for(kind, place), out)
        return out

    return made


def summary(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "summary.json").read_text())
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_adapters_and_head_move_and_the_packed_base_is_proved(
    kind: str, place: Path, runs: Callable[[str], Path]
) -> None:
    out, network = runs(kind), open_network(made_for(kind, place), 2 if kind == "bert" else 1)
    before, after = network.model.state_dict(), load_file(out / "best.safetensors")
    assert before.keys() == after.keys()
    meant = {p.name for p in network.layer_map.parameters if p.is_adapter or p.stage == "head"}
    assert {name for name in after if not torch.equal(before[name], after[name])} == meant
    packed = {
        f"{name}.{field}" for name in packed_layers(network.model) for field in ("weight", "nf4_absmax")
    }
    assert packed <= set(json.loads((out / "plan.json").read_text())["phases"][0]["frozen_tensors"])
    assert summary(out)["frozen"]["changed"] == 0
    assert summary(out)["frozen"]["checked"] >= len(after) - len(meant)


def test_the_proof_sees_every_bit_of_a_packed_layer(place: Path) -> None:
    """Adapters stand in its layer, which trains."""
    prepared = prepare(made_for("bert", place))
    model, frozen = prepared.network.model, prepared.plan.phases[0].frozen_tensors
    before = digests(model, frozen)
    for field in ("weight", "nf4_absmax", "bias"):
        name = f"bert.encoder.layer.1.output.dense.base_layer.{field}"
        first = model.state_dict()[name].view(-1)[:1]
        kept = first.clone()
        first += 1
        assert changed(before, digests(model, frozen)) == (name,)
        first.copy_(kept)
    assert changed(before, digests(model, frozen)) == ()


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_told_with_what_it_saves(kind: str, place: Path, runs: Callable[[str], Path]) -> None:
    said = [finding for finding in summary(runs(kind))["findings"] if finding["rule"] == "base-is-quantised"]
    assert len(said) == 1
    planned = [f for f in inspect_recipe(made_for(kind, place)).findings if f.rule == "base-is-quantised"]
    assert [f.message for f in planned] == [said[0]["message"]]
    assert not [
        f for f in inspect_recipe(made_for(kind, place, quantize="none")).findings if "4 bits" in f.message
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_the_best_weights_score_as_the_run_did(kind: str, runs: Callable[[str], Path]) -> None:
    out = runs(kind)
    found, said = evaluate(out), summary(out)["test"]
    assert {name: found[name] for name in said if name in found} == {
        n: v for n, v in said.items() if n in found
    }
    assert packed_layers(load_saved(out).module)


@pytest.mark.parametrize("kind", KINDS)
def test_folded_it_is_a_network_in_fp32(kind: str, runs: Callable[[str], Path], tmp_path: Path) -> None:
    out = runs(kind)
    merged = merge(out, tmp_path / "folded.safetensors")
    assert 0 < merged.parity.relative < 1e-5
    assert merged.parity.other_predictions == 0
    apart, folded = load_saved(out), load_saved(tmp_path / "folded.safetensors")
    assert not packed_layers(folded.module)
    assert not [name for name in folded.module.state_dict() if "absmax" in name]
    tokens = some_tokens() % 30  # words of either language
    torch.testing.assert_close(folded.forward(tokens), apart.forward(tokens), rtol=1e-4, atol=1e-4)


def test_plain_peft_puts_them_on_a_base_that_transformers_rounds(
    place: Path, runs: Callable[[str], Path]
) -> None:
    """The same layers, the same way, once it is told to leave the head, which has no weights yet."""
    import peft
    import transformers

    rounding = transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=torch.float32,
        llm_int8_skip_modules=["classifier"],
    )
    with warnings.catch_warnings():  # PEFT's of transformers
        warnings.simplefilter("ignore")
        base = transformers.AutoModelForSequenceClassification.from_pretrained(
            place / "encoder", num_labels=2, quantization_config=rounding, device_map="cpu"
        )
        loaded = peft.PeftModel.from_pretrained(base, str(runs("bert") / "adapter")).eval()
    for module in loaded.modules():
        if hasattr(
            module, "support_avx512bf16_for_cpu"
        ):  # with it, and on such a processor, it computes in bf16
            module.support_avx512bf16_for_cpu = False
    tokens = some_tokens()
    is_text = tokens != PAD
    with torch.no_grad():
        ids = tokens.long().masked_fill(~is_text, 0)
        found = loaded(input_ids=ids, attention_mask=is_text.long()).logits
    torch.testing.assert_close(found, load_saved(runs("bert")).forward(tokens), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", [*KINDS[:1], pytest.param(KINDS[1], marks=pytest.mark.slow)])
def test_resumed_equals_uninterrupted(kind: str, place: Path, tmp_path: Path) -> None:
    made = made_for(kind, place)
    run(made, tmp_path / "whole")
    with pytest.raises(Stop):
        run(made, tmp_path / "cut", stop_after(1))
    assert len(list((tmp_path / "cut" / "checkpoints").glob("base-*"))) == 1
    run(made, tmp_path / "cut", resume=True)
    assert same_bits(tmp_path / "whole", tmp_path / "cut")
    assert metrics(tmp_path / "whole") == metrics(tmp_path / "cut")


@pytest.mark.slow
def test_dora_stands_beside_packed_weights_too(place: Path, tmp_path: Path) -> None:
    result = run(made_for("bert", place, dora=True), tmp_path / "run")
    assert result.frozen.changed == 0
    assert merge(tmp_path / "run", tmp_path / "folded.safetensors").parity.relative < 1e-5


@pytest.mark.slow
def test_a_damaged_base_is_made_anew(place: Path, tmp_path: Path) -> None:
    """From the weights that the network is opened with: rounded again, they are the same bits."""
    made = made_for("bert", place)
    with pytest.raises(Stop):
        run(made, tmp_path / "cut", stop_after(1))
    (base,) = (tmp_path / "cut" / "checkpoints").glob("base-*")
    base.write_bytes(base.read_bytes()[:-1])
    run(made, tmp_path / "cut", resume=True)
    assert summary(tmp_path / "cut")["frozen"]["changed"] == 0
    run(made, tmp_path / "whole")
    assert same_bits(tmp_path / "whole", tmp_path / "cut")


@pytest.mark.slow
def test_the_frozen_bottom_is_computed_once(place: Path, tmp_path: Path) -> None:
    made = made_for("bert", place, from_stage="layer.1")
    (phase,) = prepare(made).plan.phases
    assert phase.prefix.kept
    assert run(made, tmp_path / "kept").reuse is not None
    run(made_for("bert", place, from_stage="layer.1", prefix="off"), tmp_path / "anew")
    assert same_bits(tmp_path / "kept", tmp_path / "anew")
    assert metrics(tmp_path / "kept") == metrics(tmp_path / "anew")


@pytest.mark.slow
def test_in_folds(place: Path, tmp_path: Path) -> None:
    made = made_for("bert", place, epochs=1)
    data = made.data.model_copy(update={"split": made.data.split.model_copy(update={"folds": 2})})
    found = train_folds(made.model_copy(update={"data": data}), out=tmp_path, resume=False, listener=ignore)
    assert [summary(Path(fold.run))["frozen"]["changed"] for fold in found.folds] == [0, 0]
    assert found.pooled is not None


def test_in_bf16_what_is_frozen_keeps_its_bits(place: Path, tmp_path: Path) -> None:
    """The library's own layer would leave its biases in bf16."""
    train = {"epochs": 1, "batch_size": 16, "precision": "bf16"}
    made = text_recipe(place, strategy=LORA, train=train, cache={"prefix": "auto", "disk_gb": 0})
    result = run(made, tmp_path / "run")
    assert (result.precision, result.frozen.changed) == ("bf16", 0)
    before, after = open_network(made, 2).model.state_dict(), load_file(tmp_path / "run" / "best.safetensors")
    assert {name: after[name].dtype for name in after} == {name: before[name].dtype for name in after}


def test_the_linear_layers_of_gpt_2_are_of_another_kind(place: Path) -> None:
    write_decoder(place / "gpt2", "gpt2", n_embd=64)
    made = corpus_recipe(place, model={"backbone": f"hf/{place / 'gpt2'}"}, strategy=LORA)
    with pytest.raises(RecipeError) as caught:
        open_network(made, 1, meta=True)
    (problem,) = caught.value.problems
    assert problem.path == "strategy.quantize"
    assert "8 Conv1D" in problem.message


def test_a_base_in_fp32_is_another_plan(place: Path) -> None:
    """Neither a run nor what was kept of a frozen part goes from one to the other."""
    plans = [prepare(made_for("bert", place, quantize=which)).plan for which in ("none", "nf4")]
    assert plans[0].fingerprint() != plans[1].fingerprint()
    assert plans[0].layer_map.numel() == plans[1].layer_map.numel()
