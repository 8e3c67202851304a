"""What a language model makes of prompts: in its report before and after, on request, and in plain transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import ftcli
from ftcli.cli.app import call
from ftcli.engine.generate import Drawing
from ftcli.errors import StoppedByUser, UsageError
from ftcli.events import EpochDone, Event
from ftcli.report.html.page import report_page
from ftcli.report.summary import summary_view
from ftcli.workflows.generate import generate
from ftcli.workflows.report_run import read_run
from ftcli.workflows.resume import saved_result
from ftcli.workflows.saved_model import load_saved
from ftcli.workflows.train import train
from tests.corpus_toys import corpus_recipe, write_corpus, write_decoder
from tests.text_models import WORDS
from tests.text_toys import some_texts, text_recipe, write_encoder, write_table
from tests.toys import ignore

transformers = pytest.importorskip("transformers")
PROMPT = " ".join(WORDS[:4])
NEXT = list(WORDS[4:8])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write_decoder(folder / "decoder")
    write_corpus(folder / "corpus")
    return folder


@pytest.fixture(scope="module")
def done(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "full"
    asked = {"prompts": [PROMPT, "<script>alert(1)</script>"], "max_tokens": 4}
    made = corpus_recipe(place, train={"epochs": 6, "batch_size": 8}, generation=asked)
    train(made, out=out, resume=False, listener=ignore)
    return out


def test_the_model_goes_on_as_the_language_does_and_did_not_before(done: Path) -> None:
    (first, second) = json.loads((done / "samples.json").read_text())
    assert first["prompt"] == PROMPT
    assert first["after"].split() == NEXT
    assert first["before"].split() != NEXT
    assert len(first["before"].split()) == 4
    assert second["prompt"] == "<script>alert(1)</script>"
    assert [sample.to_dict() for sample in saved_result(_folder(done)).samples] == [first, second]


def _folder(path: Path) -> Any:
    from ftcli.engine.run_folder import RunFolder

    return RunFolder(path)


def test_the_page_shows_them_and_obeys_nothing_in_them(done: Path) -> None:
    from io import StringIO

    from rich.console import Console

    page = report_page(read_run(done))
    assert 'id="samples"' in page
    assert " ".join(NEXT) in page
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "Perplexity" in page or "perplexity" in page
    assert "linear probe" not in page
    told = StringIO()
    Console(file=told, width=120).print(summary_view(saved_result(_folder(done))))
    assert " ".join(NEXT) in told.getvalue()
    assert "linear probe" not in told.getvalue()
    assert "perplexity" in told.getvalue()


def test_a_run_goes_on_with_a_text_on_request(done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (made,) = generate(done, [PROMPT], Drawing(4))
    assert (made.text.split(), made.tokens, made.ended) == (NEXT, 4, False)
    with pytest.raises(SystemExit):
        call(["generate", str(done), PROMPT, "--max-tokens", "4", "--json"])
    assert json.loads(capsys.readouterr().out)[0]["text"].split() == NEXT
    command = saved_result(_folder(done)).predict_command
    assert command.startswith(f"ftcli generate {done} ")


def test_python_goes_on_as_the_command_does(done: Path) -> None:
    (asked,) = generate(done, [PROMPT], Drawing(4))
    assert ftcli.generate(done, [PROMPT], max_tokens=4) == [asked]
    model = ftcli.open_model(done, "cpu")
    assert ftcli.generate(model, [WORDS[3], PROMPT], max_tokens=4)[1] == asked
    drawn = [ftcli.generate(model, [PROMPT], max_tokens=8, temperature=2.0, seed=seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    for wrong in ({"max_tokens": 0}, {"temperature": -1.0}, {"temperature": float("nan")}, {"seed": -1}):
        with pytest.raises(UsageError, match="cannot be"):
            ftcli.generate(model, [PROMPT], **wrong)


def test_a_model_of_classes_has_nothing_to_go_on_with(tmp_path: Path) -> None:
    write_encoder(tmp_path / "encoder")
    write_table(tmp_path / "texts.jsonl", some_texts(40))
    made = text_recipe(tmp_path, strategy="feature_extraction", train={"epochs": 1, "batch_size": 16})
    train(made, out=tmp_path / "run", resume=False, listener=ignore)
    with pytest.raises(UsageError, match="no text to go on with"):
        generate(tmp_path / "run", ["ba"], Drawing(1))


def test_without_prompts_the_beginnings_of_test_documents_are_gone_on_with(
    place: Path, tmp_path: Path
) -> None:
    made = corpus_recipe(place, train={"epochs": 1, "batch_size": 8}, generation={"max_tokens": 2})
    result = train(made, out=tmp_path / "run", resume=False, listener=ignore)
    assert [len(sample.prompt.split()) for sample in result.samples] == [8, 8, 8]
    none = made.model_copy(update={"generation": made.generation.model_copy(update={"max_tokens": 0})})
    assert train(none, out=tmp_path / "none", resume=False, listener=ignore).samples == ()
    assert not (tmp_path / "none" / "samples.json").exists()


def test_a_run_that_is_taken_up_again_keeps_what_was_said_before(place: Path, tmp_path: Path) -> None:
    asked = {"prompts": [PROMPT], "max_tokens": 4}
    made = corpus_recipe(place, train={"epochs": 2, "batch_size": 8}, generation=asked)
    whole = train(made, out=tmp_path / "whole", resume=False, listener=ignore)

    def stop(event: Event) -> None:
        if isinstance(event, EpochDone):
            raise KeyboardInterrupt

    with pytest.raises(StoppedByUser):
        train(made, out=tmp_path / "cut", resume=False, listener=stop)
    again = train(made, out=tmp_path / "cut", resume=True, listener=ignore)
    assert again.samples == whole.samples
    assert again.floor == whole.floor
    assert again.test == whole.test


def test_plain_transformers_loads_what_a_run_leaves(done: Path, tmp_path: Path) -> None:
    saved = load_saved(done)
    (tmp_path / "model.safetensors").write_bytes((done / "best.safetensors").read_bytes())
    (tmp_path / "config.json").write_text(json.dumps(saved.card.config))
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    tokens = saved.tokenizer.encode([PROMPT])[0].tokens[None]
    with torch.inference_mode():
        assert torch.equal(theirs(tokens.long()).logits, saved.forward(tokens))
        made = theirs.generate(tokens.long(), max_new_tokens=4, do_sample=False)
    assert saved.tokenizer.decode(made[0, tokens.shape[1] :].tolist()).split() == NEXT
