"""Small real things to train on: a random BERT in a folder, and texts of two subjects in the tests' own language."""

from __future__ import annotations

import json
import random
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ftcli.recipe.schema import Recipe
from tests.text_models import BERT, WORDS, tokenizer_json

SUBJECTS = ("first", "second")


def write_encoder(folder: Path, **config: Any) -> Path:
    """As save_pretrained leaves it, with a tokenizer; weights large enough that its features tell texts apart."""
    import transformers

    torch.manual_seed(3)
    values = {**BERT, "num_hidden_layers": 2, "initializer_range": 0.1, **config}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        transformers.BertModel(transformers.BertConfig(**values)).save_pretrained(folder)
    (folder / "tokenizer.json").write_text(tokenizer_json(), encoding="utf-8")
    return folder


def some_texts(count: int, words: tuple[int, int] = (3, 14), seed: int = 0) -> list[tuple[str, str]]:
    """Texts and their subjects in turn: most words of a text are of its subject's half of the language."""
    chance = random.Random(seed)
    half = len(WORDS) // 2
    rows = []
    for number in range(count):
        own = WORDS[:half] if number % 2 == 0 else WORDS[half:]
        length = chance.randint(*words)
        text = " ".join(chance.choice(own if chance.random() < 0.8 else WORDS) for _ in range(length))
        rows.append((text, SUBJECTS[number % 2]))
    return rows


def write_table(path: Path, rows: Sequence[tuple[str, str]]) -> Path:
    lines = (json.dumps({"text": text, "label": label}) for text, label in rows)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def text_recipe(place: Path, **sections: Any) -> Recipe:
    """For the encoder and the texts.jsonl in a folder; any section may be given."""
    content = {
        "name": "toy",
        "task": "text_classification",
        "data": {"kind": "text_csv", "path": str(place / "texts.jsonl")},
        "model": {"backbone": f"hf/{place / 'encoder'}"},
        "strategy": "full",
        "optimizer": {"lr": 3e-3},
        "train": {"epochs": 2, "batch_size": 16},
        "runtime": {"device": "cpu"},
        **sections,
    }
    return Recipe.model_validate_json(json.dumps(content))
