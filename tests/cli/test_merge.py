"""`ftcli merge`: what it says, and what it refuses before any work."""

from __future__ import annotations

import pytest

from tests.text_toys import some_texts, text_recipe, write_encoder, write_table

pytest.importorskip("peft")


@pytest.fixture(scope="module")
def run(ftcli, toy, tmp_path_factory):
    """The toy's recipe with adapters."""
    out = tmp_path_factory.mktemp("lora") / "run"
    changes = ("strategy={kind: lora, rank: 2}", "train.epochs=1", "model.weights=none")
    sets = [part for change in changes for part in ("--set", change)]
    ended = ftcli("train", toy.run / "recipe.yaml", *sets, "--out", out)
    assert ended.code == 0, ended.err
    assert f"adapters: {out / 'adapter'}, for PEFT; ftcli merge folds them into the weights" in ended.out
    return out


def test_it_says_what_it_did(ftcli, run, tmp_path):
    file = tmp_path / "folded.safetensors"
    ended = ftcli("merge", run, "--out", file)
    assert ended.code == 0, ended.err
    assert "of the largest logit at most (bound 0.0001)" in ended.out
    assert file.is_file()
    again = ftcli("merge", run, "--out", file)
    assert (again.code, again.out) == (3, "")
    assert "is there already" in again.err


def test_a_run_without_adapters(ftcli, toy, tmp_path):
    ended = ftcli("merge", toy.run, "--out", tmp_path / "folded.safetensors", "--json")
    assert ended.code == 2
    assert ended.json["error"]["what"] == "the run has no adapters to fold"


def test_the_other_commands_take_such_a_run(ftcli, run, toy):
    assert ftcli("evaluate", run, "--json").code == 0
    assert ftcli("predict", run, toy.images("test")[0], "--json").code == 0
    assert ftcli("inspect-freeze", run).code == 0
    assert ftcli("report", run).code == 0


def test_virtual_tokens_are_no_weights(ftcli, tmp_path):
    """One clear message with the exit code of a user's mistake; nothing is written."""
    pytest.importorskip("transformers")
    write_encoder(tmp_path / "encoder")
    write_table(tmp_path / "texts.jsonl", some_texts(60))
    made = text_recipe(tmp_path, strategy={"kind": "prompt_tuning", "tokens": 4}, train={"epochs": 1})
    (tmp_path / "recipe.yaml").write_text(made.model_dump_json(exclude_none=True))
    ended = ftcli("train", tmp_path / "recipe.yaml", "--out", tmp_path / "run")
    assert ended.code == 0, ended.err
    assert f"adapters: {tmp_path / 'run' / 'adapter'}, for PEFT" in ended.out
    assert "ftcli merge" not in ended.out
    ended = ftcli("merge", tmp_path / "run", "--out", tmp_path / "folded.safetensors", "--json")
    assert ended.code == 2
    assert ended.json["error"]["what"].startswith("virtual tokens cannot be folded into weights")
    assert not (tmp_path / "folded.safetensors").exists()
