"""No line that a person reads of a run on texts, or on a corpus, speaks of images."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from ftcli.recipe.dump import dump_recipe
from tests.corpus_toys import corpus_recipe, write_corpus, write_decoder
from tests.text_toys import some_texts, text_recipe, write_encoder, write_table

pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("words")
    write_encoder(folder / "encoder")
    rows = some_texts(60)
    write_table(folder / "texts.jsonl", [*rows, rows[0], ("", "first"), ("ba", "first"), ("ba", "second")])
    write_decoder(folder / "decoder")
    write_corpus(folder / "corpus", documents=12)
    shutil.copy(folder / "corpus" / "one" / "00.txt", folder / "corpus" / "again.txt")
    (folder / "text.yaml").write_text(dump_recipe(text_recipe(folder, train={"epochs": 1})))
    generation = {"prompts": ["ba be"], "max_tokens": 2}
    of_corpus = corpus_recipe(folder, train={"epochs": 1}, generation=generation)
    (folder / "lm.yaml").write_text(dump_recipe(of_corpus))
    return folder


def speaks_of_images(text: str) -> list[str]:
    """Lines; the names of rules, and an option of the recipe, are the same whatever the data."""
    named = r"(?s)<style.*?</style>|<[^>]*>|image_memory_gb|same-image-two-labels"
    page = re.sub(named, " ", text)
    return [line for line in page.splitlines() if re.search("image|picture|pixel", line, re.IGNORECASE)]


@pytest.mark.parametrize(("recipe", "noun"), [("text", "text"), ("lm", "document")])
def test_a_run_from_its_audit_to_its_use(ftcli, place, tmp_path, monkeypatch, recipe, noun):
    monkeypatch.chdir(tmp_path)
    source = place / f"{recipe}.yaml"
    used = ("generate", "run", "ba") if recipe == "lm" else ("predict", "run", "ba.txt")
    calibrate = () if recipe == "lm" else ("--calibrate",)
    Path("ba.txt").write_text("ba be")
    said = {}
    for asked in (
        ("audit", source, "--html", "audit.html"),
        ("inspect-freeze", source),
        ("train", source, "--out", "run", "--profile"),
        ("evaluate", "run", *calibrate),
        ("report", "run"),
        used,
        ("train", source, "--set", "data.split.train_size=500", "--out", "none"),
        ("train", source, "--set", "data.split.by=group", "--out", "none"),
    ):
        ended = ftcli(*asked)
        assert ended.code == (4 if "none" in asked else 0), (asked, ended.err)
        said[asked[0]] = ended.out + ended.err
        assert speaks_of_images(said[asked[0]]) == []
    assert f"{noun}s" in said["train"]
    for page in (Path("audit.html"), Path("run/report.html")):
        assert speaks_of_images(page.read_text()) == []
